/**
 * The fold over an inbox's log: from a state and one more update to the next state, or to the rule that forbids it.
 *
 * Every client folds the same log by itself, and an update that one of them cannot apply locks everybody out of the
 * inbox, its owner included. So what is taken here is never more than what libxmtp (`xmtp_id`) takes; where it is
 * less, docs/decisions/0017 says why.
 */

import { inboxIdOf, isSameMember, memberKey, writeIdentifier } from "./identifier";
import { type Fault, fault, refuseAction, refuseByShape, refuseUpdate } from "./refusal";
import {
  type ActionWith,
  type Applied,
  type AssociationState,
  IDENTITY_LIMITS,
  type IdentityLimits,
  type Member,
  type MemberIdentifier,
  type SignatureKind,
  type VerifiedSignature,
  type VerifiedUpdate,
} from "./types";

type Verified<K extends ActionWith<unknown>["kind"]> = ActionWith<VerifiedSignature> & { readonly kind: K };

/** What an action is applied to, and under which circumstances. */
interface Context {
  readonly update: VerifiedUpdate;
  readonly limits: IdentityLimits;
}

const ALLOWED_KINDS: Readonly<Record<MemberIdentifier["kind"], readonly SignatureKind[]>> = {
  ethereum: ["erc191", "contractWallet", "legacyDelegated"],
  installation: ["installationKey"],
  passkey: ["passkey"],
};

/** Applies all actions of an update or none. `state`: undefined before the inbox is created. */
export function applyUpdate(
  state: AssociationState | undefined,
  update: VerifiedUpdate,
  limits: IdentityLimits = IDENTITY_LIMITS,
): Applied {
  const refusal = refuseByShape(update, limits) ?? refuseByState(state, update, limits);
  if (refusal !== undefined) return refusal;
  const context = { update, limits };
  let next = state;
  for (const [index, action] of update.actions.entries()) {
    const applied = applyAction(next, action, context);
    if (applied.kind === "fault") return refuseAction(index, action, applied);
    next = applied.state;
  }
  if (next === undefined) throw new Error("an update without actions was let through");
  // Only now: within one update the same signature may serve several actions, since its text names them all.
  const seenSignatures = new Set([...next.seenSignatures, ...update.actions.flatMap(signaturesOf).flatMap(replayKeys)]);
  return { kind: "state", state: { ...next, seenSignatures, updates: next.updates + 1 } };
}

function refuseByState(state: AssociationState | undefined, update: VerifiedUpdate, limits: IdentityLimits) {
  if (state === undefined) return undefined;
  if (state.inboxId !== update.inboxId) {
    return refuseUpdate(fault("wrongInboxId", `wanted an update of inbox ${state.inboxId}, found ${update.inboxId}`));
  }
  if (state.updates >= limits.updates) {
    const words = `an inbox takes ${limits.updates} updates, and this one has had ${state.updates}; create another inbox`;
    return refuseUpdate(fault("tooManyUpdates", words));
  }
  return undefined;
}

type Step = { readonly kind: "applied"; readonly state: AssociationState } | Fault;

function applyAction(
  state: AssociationState | undefined,
  action: ActionWith<VerifiedSignature>,
  context: Context,
): Step {
  if (action.kind === "createInbox") return createInbox(state, action, context);
  if (state === undefined) {
    return fault("notCreated", "wanted an inbox that exists, found none; the first action has to create it");
  }
  const replayed = signaturesOf(action).some((signature) =>
    replayKeys(signature).some((key) => state.seenSignatures.has(key)),
  );
  if (replayed) {
    const words = "this signer has signed this text, or given these bytes, in an earlier update of the inbox";
    return fault("replayedSignature", `${words}; sign a new update with the present time`);
  }
  switch (action.kind) {
    case "addAssociation":
      return addAssociation(state, action, context);
    case "revokeAssociation":
      return revokeAssociation(state, action);
    case "changeRecoveryAddress":
      return changeRecoveryAddress(state, action);
    default:
      return action satisfies never;
  }
}

function createInbox(
  existing: AssociationState | undefined,
  { initialIdentifier, nonce, initialIdentifierSignature: signature }: Verified<"createInbox">,
  { update }: Context,
): Step {
  if (existing !== undefined) {
    return fault("alreadyCreated", `inbox ${existing.inboxId} exists already; leave this action out`);
  }
  const inboxId = inboxIdOf(initialIdentifier, nonce);
  if (inboxId !== update.inboxId) {
    const words = `${writeIdentifier(initialIdentifier)} with nonce ${nonce} makes inbox ${inboxId}`;
    return fault("wrongInboxId", `wanted that inbox id in the update: ${words}, found ${update.inboxId}`);
  }
  const refused =
    signerIs(initialIdentifier, signature, "initial identifier") ??
    kindAllowed(initialIdentifier, signature) ??
    (isLegacy(signature) && nonce !== 0n
      ? fault("legacySignatureNotAllowed", `a legacy key can create an inbox with nonce 0 only, found ${nonce}`)
      : undefined);
  if (refused !== undefined) return refused;
  const first: Member = {
    identifier: initialIdentifier,
    addedBy: undefined,
    clientTimestampNs: undefined,
    addedOnChainId: signature.chainId,
  };
  const seenSignatures = new Set<string>();
  const recoveryIdentifier = initialIdentifier;
  return { kind: "applied", state: { inboxId, members: [first], recoveryIdentifier, seenSignatures, updates: 0 } };
}

function addAssociation(state: AssociationState, action: Verified<"addAssociation">, context: Context): Step {
  const { newMember, newMemberSignature, existingMemberSignature } = action;
  const { signer } = existingMemberSignature;
  const refused =
    signerIs(newMember, newMemberSignature, "new member") ??
    (isSameMember(newMember, signer)
      ? fault("addsItself", `${memberKey(signer)} cannot vouch for itself; an existing member has to sign`)
      : undefined) ??
    legacyAllowed(state, action) ??
    kindAllowed(newMember, newMemberSignature) ??
    existingMemberAllowed(state, existingMemberSignature) ??
    kindAllowed(signer, existingMemberSignature) ??
    (signer.kind === "installation" && newMember.kind === "installation"
      ? fault("memberMayNotAdd", "an installation cannot add another; an account of the inbox has to sign")
      : undefined) ??
    roomForInstallation(state, newMember, context.limits);
  if (refused !== undefined) return refused;
  const member: Member = {
    identifier: newMember,
    addedBy: signer,
    clientTimestampNs: context.update.clientTimestampNs,
    addedOnChainId: newMemberSignature.chainId,
  };
  // One that is a member already is added anew: by whom it was added counts when that one is revoked.
  return { kind: "applied", state: { ...state, members: [...without(state.members, [newMember]), member] } };
}

/** Of inboxes of the protocol's first version: the one that the wallet itself has with nonce 0. */
function legacyAllowed(state: AssociationState, action: Verified<"addAssociation">): Fault | undefined {
  const { signer } = action.existingMemberSignature;
  const legacy = isLegacy(action.newMemberSignature) || isLegacy(action.existingMemberSignature);
  if (!legacy || signer.kind === "installation" || state.inboxId === inboxIdOf(signer, 0n)) return undefined;
  const words = `a legacy key counts only in the inbox that its wallet has with nonce 0, ${inboxIdOf(signer, 0n)}`;
  return fault("legacySignatureNotAllowed", words);
}

/** Members may add, and so may the recovery identifier, which need not be one. */
function existingMemberAllowed(state: AssociationState, signature: VerifiedSignature): Fault | undefined {
  const member = findMember(state, signature.signer);
  if (member !== undefined) return chainMatches(member, signature);
  if (!isSameMember(signature.signer, state.recoveryIdentifier)) {
    const words = `wanted the signature of a member or of the recovery identifier ${memberKey(state.recoveryIdentifier)}`;
    return fault("signerIsNotAMember", `${words}, found ${memberKey(signature.signer)}`);
  }
  if (isLegacy(signature)) {
    return fault("legacySignatureNotAllowed", "the recovery identifier has to sign by itself, not by a legacy key");
  }
  return undefined;
}

function roomForInstallation(state: AssociationState, newMember: MemberIdentifier, limits: IdentityLimits) {
  if (newMember.kind !== "installation" || findMember(state, newMember) !== undefined) return undefined;
  const installations = state.members.filter(({ identifier }) => identifier.kind === "installation").length;
  if (installations < limits.installations) return undefined;
  const words = `an inbox has at most ${limits.installations} installations, and this one has ${installations}`;
  return fault("tooManyInstallations", `${words}; revoke one first`);
}

function revokeAssociation(state: AssociationState, action: Verified<"revokeAssociation">): Step {
  const { memberToRevoke, recoveryIdentifierSignature } = action;
  const refused = recoveryAllowed(state, recoveryIdentifierSignature);
  if (refused !== undefined) return refused;
  // Of what the member had added only its installations go too: accounts stand for themselves. Whether it is a
  // member at all does not matter: to revoke twice is fine, and its installations may have stayed.
  const children = state.members
    .filter(({ identifier }) => identifier.kind === "installation")
    .filter(({ addedBy }) => addedBy !== undefined && isSameMember(addedBy, memberToRevoke))
    .map(({ identifier }) => identifier);
  return { kind: "applied", state: { ...state, members: without(state.members, [memberToRevoke, ...children]) } };
}

function changeRecoveryAddress(state: AssociationState, action: Verified<"changeRecoveryAddress">): Step {
  const refused = recoveryAllowed(state, action.existingRecoveryIdentifierSignature);
  if (refused !== undefined) return refused;
  return { kind: "applied", state: { ...state, recoveryIdentifier: action.newRecoveryIdentifier } };
}

function recoveryAllowed(state: AssociationState, signature: VerifiedSignature): Fault | undefined {
  const member = findMember(state, signature.signer);
  const mismatch = member === undefined ? undefined : chainMatches(member, signature);
  if (mismatch !== undefined) return mismatch;
  if (isLegacy(signature)) {
    return fault("legacySignatureNotAllowed", "the recovery identifier has to sign by itself, not by a legacy key");
  }
  if (isSameMember(signature.signer, state.recoveryIdentifier)) return undefined;
  const words = `wanted the signature of the recovery identifier ${memberKey(state.recoveryIdentifier)}`;
  return fault("signerIsNotTheRecoveryIdentifier", `${words}, found ${memberKey(signature.signer)}`);
}

function signerIs(wanted: MemberIdentifier, { signer }: VerifiedSignature, role: string): Fault | undefined {
  if (isSameMember(signer, wanted)) return undefined;
  const words = `wanted the signature of the ${role} ${memberKey(wanted)}, found one of ${memberKey(signer)}`;
  return fault("signerIsNotTheIdentifier", `${words}; the text has to be the one that this update makes`);
}

function kindAllowed({ kind }: MemberIdentifier, signature: VerifiedSignature): Fault | undefined {
  if (ALLOWED_KINDS[kind].includes(signature.kind)) return undefined;
  const words = `of kind ${kind} signs by ${ALLOWED_KINDS[kind].join(" or ")}, found ${signature.kind}`;
  return fault("signatureKindNotAllowed", `a member ${words}`);
}

/** A contract wallet stays on its chain, and an account that once signed by its key never becomes a contract. */
function chainMatches({ addedOnChainId }: Member, { chainId, signer }: VerifiedSignature): Fault | undefined {
  if (addedOnChainId === chainId) return undefined;
  const wanted = addedOnChainId === undefined ? "without a chain" : `on chain ${addedOnChainId}`;
  const found = chainId === undefined ? "without one" : `on chain ${chainId}`;
  return fault("chainIdMismatch", `${memberKey(signer)} came ${wanted} and has to sign so, found a signature ${found}`);
}

function isLegacy({ kind }: VerifiedSignature): boolean {
  return kind === "legacyDelegated";
}

function findMember({ members }: AssociationState, identifier: MemberIdentifier): Member | undefined {
  return members.find((member) => isSameMember(member.identifier, identifier));
}

function without(members: readonly Member[], gone: readonly MemberIdentifier[]): readonly Member[] {
  return members.filter(({ identifier }) => !gone.some((one) => isSameMember(one, identifier)));
}

function replayKeys(signature: VerifiedSignature): readonly string[] {
  return signature.replayKeys;
}

/** The signatures of an action, in the order in which they are verified. */
export function signaturesOf<S>(action: ActionWith<S>): readonly S[] {
  switch (action.kind) {
    case "createInbox":
      return [action.initialIdentifierSignature];
    case "addAssociation":
      return [action.existingMemberSignature, action.newMemberSignature];
    case "revokeAssociation":
      return [action.recoveryIdentifierSignature];
    case "changeRecoveryAddress":
      return [action.existingRecoveryIdentifierSignature];
    default:
      return action satisfies never;
  }
}
