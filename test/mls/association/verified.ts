/** Updates whose signatures count as verified, made by hand: for what the fold does with them. */

import { applyUpdate } from "../../../src/mls/association/fold";
import { inboxIdOf, memberKey } from "../../../src/mls/association/identifier";
import type {
  ActionWith,
  AssociationState,
  Identifier,
  IdentityRule,
  InstallationIdentifier,
  MemberIdentifier,
  SignatureKind,
  VerifiedSignature,
  VerifiedUpdate,
} from "../../../src/mls/association/types";

export type VerifiedAction = ActionWith<VerifiedSignature>;

export function address(nth: number): Identifier {
  return { kind: "ethereum", address: `0x${nth.toString(16).padStart(40, "0")}` };
}

export function installation(nth: number): InstallationIdentifier {
  return { kind: "installation", key: new Uint8Array(32).fill(nth) };
}

export function passkey(nth: number, relyingParty?: string): Identifier {
  return { kind: "passkey", key: Uint8Array.of(2, ...new Uint8Array(32).fill(nth)), relyingParty };
}

const OWN_KINDS = { ethereum: "erc191", installation: "installationKey", passkey: "passkey" } as const;

let signatures = 0;

/** A signature that nobody has seen before, of the kind that comes naturally to its signer. */
export function by(
  signer: MemberIdentifier,
  { kind = OWN_KINDS[signer.kind], chainId }: { kind?: SignatureKind; chainId?: bigint } = {},
): VerifiedSignature {
  return { kind, signer, chainId, replayKeys: [`${memberKey(signer)} #${++signatures}`] };
}

export function create(identifier: Identifier, nonce = 0n, signature = by(identifier)): VerifiedAction {
  return { kind: "createInbox", initialIdentifier: identifier, nonce, initialIdentifierSignature: signature };
}

export function add(newMember: MemberIdentifier, existing: VerifiedSignature, own = by(newMember)): VerifiedAction {
  return { kind: "addAssociation", newMember, existingMemberSignature: existing, newMemberSignature: own };
}

export function revoke(memberToRevoke: MemberIdentifier, signature: VerifiedSignature): VerifiedAction {
  return { kind: "revokeAssociation", memberToRevoke, recoveryIdentifierSignature: signature };
}

export function changeRecovery(newRecoveryIdentifier: Identifier, signature: VerifiedSignature): VerifiedAction {
  return { kind: "changeRecoveryAddress", newRecoveryIdentifier, existingRecoveryIdentifierSignature: signature };
}

export const OWNER = address(1);
export const INBOX = inboxIdOf(OWNER, 0n);

export function update(...actions: readonly VerifiedAction[]): VerifiedUpdate {
  return { inboxId: INBOX, clientTimestampNs: 1_700_000_000_000_000_000n, actions };
}

/** The state after updates of {@link INBOX}, each of the actions given. @throws Error if one is refused. */
export function fold(...updates: readonly (readonly VerifiedAction[])[]): AssociationState {
  let state: AssociationState | undefined;
  for (const actions of updates) {
    const applied = applyUpdate(state, update(...actions));
    if (applied.kind === "refused") throw new Error(applied.message);
    state = applied.state;
  }
  if (state === undefined) throw new Error("wanted at least one update");
  return state;
}

/** An inbox of OWNER, and whom OWNER has added, each by an update of its own. */
export function inboxWith(...members: readonly MemberIdentifier[]): AssociationState {
  return fold([create(OWNER)], ...members.map((member) => [add(member, by(OWNER))]));
}

/** Which rule and which action; "none" if it is applied. */
export function ruleBroken(
  state: AssociationState | undefined,
  ...actions: readonly VerifiedAction[]
): readonly [IdentityRule, number | undefined] | "none" {
  const applied = applyUpdate(state, update(...actions));
  return applied.kind === "state" ? "none" : [applied.rule, applied.action];
}

export function membersOf(state: AssociationState): readonly string[] {
  return state.members.map(({ identifier }) => memberKey(identifier));
}
