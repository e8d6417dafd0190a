/** What a real SDK sent (README.md says how it was recorded). */

import { fromBinary } from "@bufbuild/protobuf";
import type { Action, IdentityUpdate, MemberIdentifier, Signature } from "../../../src/mls/association/types";
import {
  type IdentityAction,
  IdentityUpdateSchema,
  type MemberIdentifier as ProtoMember,
} from "../../../src/wire/gen/identity/associations/association_pb";
import type { Signature as ProtoSignature } from "../../../src/wire/gen/identity/associations/signature_pb";
import recorded from "./node-sdk.json";

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

export const RECORDED_KEY_PACKAGE = bytesOf(recorded.keyPackage);

/** The first commit of a group. */
export const RECORDED_GROUP_COMMIT = bytesOf(recorded.groupCommit);

/** A moment at which the recorded key package was fresh, in milliseconds. */
export const RECORDED_AT_MS = Date.UTC(2026, 10, 26, 13, 8, 8);

/** In the order in which they were published: encoded, and the text that the owner's signer was given. */
export const RECORDED_UPDATES = recorded.identityUpdates.map(({ text, update }) => ({ text, update: bytesOf(update) }));

/** A recorded update in our types. Knows the kinds of signatures that were recorded, and no other. */
export function decodeRecorded(update: Uint8Array): IdentityUpdate {
  const { inboxId, clientTimestampNs, actions } = fromBinary(IdentityUpdateSchema, update);
  return { inboxId, clientTimestampNs, actions: actions.map(actionOf) };
}

function actionOf({ kind }: IdentityAction): Action {
  switch (kind.case) {
    case "createInbox":
      return {
        kind: "createInbox",
        initialIdentifier: { kind: "ethereum", address: kind.value.initialIdentifier },
        nonce: kind.value.nonce,
        initialIdentifierSignature: signatureOf(kind.value.initialIdentifierSignature),
      };
    case "add":
      return {
        kind: "addAssociation",
        newMember: memberOf(kind.value.newMemberIdentifier),
        existingMemberSignature: signatureOf(kind.value.existingMemberSignature),
        newMemberSignature: signatureOf(kind.value.newMemberSignature),
      };
    case "revoke":
      return {
        kind: "revokeAssociation",
        memberToRevoke: memberOf(kind.value.memberToRevoke),
        recoveryIdentifierSignature: signatureOf(kind.value.recoveryIdentifierSignature),
      };
    case "changeRecoveryAddress":
      return {
        kind: "changeRecoveryAddress",
        newRecoveryIdentifier: { kind: "ethereum", address: kind.value.newRecoveryIdentifier },
        existingRecoveryIdentifierSignature: signatureOf(kind.value.existingRecoveryIdentifierSignature),
      };
    default:
      throw new Error("an action of a kind that was not recorded");
  }
}

function memberOf(identifier: ProtoMember | undefined): MemberIdentifier {
  switch (identifier?.kind.case) {
    case "ethereumAddress":
      return { kind: "ethereum", address: identifier.kind.value };
    case "installationPublicKey":
      return { kind: "installation", key: identifier.kind.value };
    default:
      throw new Error("a member of a kind that was not recorded");
  }
}

function signatureOf(signature: ProtoSignature | undefined): Signature {
  switch (signature?.signature.case) {
    case "erc191":
      return { kind: "erc191", bytes: signature.signature.value.bytes };
    case "installationKey": {
      const { bytes, publicKey } = signature.signature.value;
      return { kind: "installationKey", bytes, publicKey };
    }
    default:
      throw new Error("a signature of a kind that was not recorded");
  }
}
