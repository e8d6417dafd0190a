/** Names of members: compared, written as the signature text has them, and turned into inbox ids. */

import { createHash } from "node:crypto";
import type { Identifier, MemberIdentifier } from "./types";

const ETHEREUM_ADDRESS = /^0x[0-9a-f]{40}$/;
const INSTALLATION_KEY_BYTES = 32;
/** First byte of a P-256 point in SEC1: how many bytes it has. */
const PASSKEY_KEY_BYTES: Readonly<Record<number, number>> = { 2: 33, 3: 33, 4: 65 };

/** An address as it is, a key in hex: what the signature text and the inbox id are made of. */
export function writeIdentifier(identifier: MemberIdentifier): string {
  return identifier.kind === "ethereum" ? identifier.address : Buffer.from(identifier.key).toString("hex");
}

/** The same for the same member and no other. A passkey is its key, whatever the relying party. */
export function memberKey(identifier: MemberIdentifier): string {
  return `${identifier.kind}:${writeIdentifier(identifier)}`;
}

export function isSameMember(one: MemberIdentifier, other: MemberIdentifier): boolean {
  return memberKey(one) === memberKey(other);
}

/** The id of the inbox that an identifier creates with a nonce: 64 hex digits. */
export function inboxIdOf(identifier: Identifier, nonce: bigint): string {
  return createHash("sha256")
    .update(`${writeIdentifier(identifier)}${nonce}`)
    .digest("hex");
}

/** What is wrong with an identifier, in words: wanted and found. Undefined if nothing is. */
export function faultInIdentifier(identifier: MemberIdentifier): string | undefined {
  switch (identifier.kind) {
    case "ethereum":
      if (ETHEREUM_ADDRESS.test(identifier.address)) return undefined;
      return `wanted an Ethereum address, 0x and 40 lower-case hex digits, found ${JSON.stringify(identifier.address)}`;
    case "installation":
      if (identifier.key.length === INSTALLATION_KEY_BYTES) return undefined;
      return `wanted an installation key of ${INSTALLATION_KEY_BYTES} bytes, found ${identifier.key.length}`;
    case "passkey":
      if (PASSKEY_KEY_BYTES[identifier.key[0] ?? 0] === identifier.key.length) return undefined;
      return `wanted a passkey as a P-256 point in SEC1, 33 or 65 bytes, found ${identifier.key.length} bytes`;
    default:
      return identifier satisfies never;
  }
}
