/**
 * The text that every signature of an identity update is made over. People read it in their wallets, and clients
 * build it again to verify: each of its bytes is part of the protocol.
 */

import { writeIdentifier } from "./identifier";
import type { ActionWith, MemberIdentifier, UpdateWith } from "./types";

const HEADER = "XMTP : Authenticate to inbox";
const FOOTER = "For more info: https://xmtp.org/signatures";

const NOUNS = { ethereum: "Address", installation: "ID", passkey: "Passkey" } as const satisfies Words;
const ADDING = {
  ethereum: "Link address to inbox",
  installation: "Grant messaging access to app",
  passkey: "Link passkey to inbox",
} as const satisfies Words;
const REVOKING = {
  ethereum: "Unlink address from inbox",
  installation: "Revoke messaging access from app",
  passkey: "Unlink passkey from inbox",
} as const satisfies Words;

type Words = Readonly<Record<MemberIdentifier["kind"], string>>;

export function signatureText(update: UpdateWith<unknown>): string {
  const { inboxId, clientTimestampNs, actions } = update;
  const head = `${HEADER}\n\nInbox ID: ${inboxId}\nCurrent time: ${writeTime(clientTimestampNs)}`;
  return `${head}\n\n${actions.map(writeAction).join("\n")}\n\n${FOOTER}`;
}

function writeAction(action: ActionWith<unknown>): string {
  switch (action.kind) {
    case "createInbox":
      return `- Create inbox\n  (Owner: ${writeIdentifier(action.initialIdentifier)})`;
    case "addAssociation":
      return writeMember(ADDING, action.newMember);
    case "revokeAssociation":
      return writeMember(REVOKING, action.memberToRevoke);
    case "changeRecoveryAddress":
      return `- Change inbox recovery address\n  (Address: ${writeIdentifier(action.newRecoveryIdentifier)})`;
    default:
      return action satisfies never;
  }
}

function writeMember(verbs: Words, member: MemberIdentifier): string {
  return `- ${verbs[member.kind]}\n  (${NOUNS[member.kind]}: ${writeIdentifier(member)})`;
}

/** RFC 3339 in UTC, cut to seconds. Clients read the unsigned 64 bits as signed ones, and so must we. */
function writeTime(timestampNs: bigint): string {
  const signedNs = BigInt.asIntN(64, timestampNs);
  const cutNs = ((signedNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const ms = Number((signedNs - cutNs) / 1_000_000n);
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
