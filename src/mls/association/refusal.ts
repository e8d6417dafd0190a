/** Why an identity update is refused: the rule, and words for whoever sent it. */

import { faultInIdentifier } from "./identifier";
import type { ActionWith, IdentityLimits, IdentityRule, MemberIdentifier, Refusal, UpdateWith } from "./types";

/** A rule that is broken, before anybody has said by which action. */
export interface Fault {
  readonly kind: "fault";
  readonly rule: IdentityRule;
  /** What was wanted, what was found, what to do. */
  readonly words: string;
}

export function fault(rule: IdentityRule, words: string): Fault {
  return { kind: "fault", rule, words };
}

export function refuseUpdate({ rule, words }: Fault): Refusal {
  return { kind: "refused", rule, action: undefined, message: `identity update refused (${rule}): ${words}` };
}

/** `index`: which action, from 0. */
export function refuseAction(index: number, action: ActionWith<unknown>, { rule, words }: Fault): Refusal {
  const message = `identity update refused (${rule}): action ${index} (${action.kind}): ${words}`;
  return { kind: "refused", rule, action: index, message };
}

/** Refuses what can be refused without any signature verified or state known. */
export function refuseByShape(update: UpdateWith<unknown>, limits: IdentityLimits): Refusal | undefined {
  const { actions } = update;
  if (actions.length === 0) return refuseUpdate(fault("noActions", "wanted at least one action, found none"));
  if (actions.length > limits.actions) {
    const words = `wanted at most ${limits.actions} actions, found ${actions.length}; split them over several updates`;
    return refuseUpdate(fault("tooManyActions", words));
  }
  for (const [index, action] of actions.entries()) {
    const words = faultInIdentifier(subjectOf(action));
    if (words !== undefined) return refuseAction(index, action, fault("malformedIdentifier", words));
  }
  return undefined;
}

/** Whom an action is about. */
function subjectOf(action: ActionWith<unknown>): MemberIdentifier {
  switch (action.kind) {
    case "createInbox":
      return action.initialIdentifier;
    case "addAssociation":
      return action.newMember;
    case "revokeAssociation":
      return action.memberToRevoke;
    case "changeRecoveryAddress":
      return action.newRecoveryIdentifier;
    default:
      return action satisfies never;
  }
}
