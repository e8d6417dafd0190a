/** An {@link AssociationState} as bytes, to be stored beside the inbox's log: JSON in UTF-8, with a version. */

import type { AssociationState, Member, MemberIdentifier } from "./types";

/** To be raised whenever the fold or this form changes what a state means: older states are then folded again. */
export const STATE_VERSION = 1;

export type DecodedState =
  | { readonly kind: "state"; readonly state: AssociationState }
  /** Written by another version of tideline: fold the log again from its beginning. */
  | { readonly kind: "otherVersion"; readonly version: unknown };

export function encodeState(state: AssociationState): Uint8Array {
  const { inboxId, members, recoveryIdentifier, seenSignatures, updates } = state;
  return Buffer.from(
    JSON.stringify({
      version: STATE_VERSION,
      inboxId,
      updates,
      recovery: writeIdentifier(recoveryIdentifier),
      members: members.map(writeMember),
      seen: [...seenSignatures],
    }),
  );
}

/** @throws Error if the bytes are none that {@link encodeState} made: the store is at fault, not the client. */
export function decodeState(bytes: Uint8Array): DecodedState {
  const root = fieldsOf(JSON.parse(Buffer.from(bytes).toString("utf8")));
  const version = root.get("version");
  if (version !== STATE_VERSION) return { kind: "otherVersion", version };
  const recoveryIdentifier = readIdentifier(root.get("recovery"));
  if (recoveryIdentifier.kind === "installation") throw notAState("a recovery identifier that is an account");
  const state: AssociationState = {
    inboxId: text(root.get("inboxId")),
    updates: Number(root.get("updates")),
    recoveryIdentifier,
    members: list(root.get("members")).map(readMember),
    seenSignatures: new Set(list(root.get("seen")).map(text)),
  };
  return { kind: "state", state };
}

function writeIdentifier(identifier: MemberIdentifier) {
  switch (identifier.kind) {
    case "ethereum":
      return identifier;
    case "installation":
      return { kind: identifier.kind, key: hex(identifier.key) };
    case "passkey":
      return { kind: identifier.kind, key: hex(identifier.key), relyingParty: identifier.relyingParty };
    default:
      return identifier satisfies never;
  }
}

function readIdentifier(value: unknown): MemberIdentifier {
  const fields = fieldsOf(value);
  switch (fields.get("kind")) {
    case "ethereum":
      return { kind: "ethereum", address: text(fields.get("address")) };
    case "installation":
      return { kind: "installation", key: unhex(fields.get("key")) };
    case "passkey":
      return {
        kind: "passkey",
        key: unhex(fields.get("key")),
        relyingParty: optional(fields.get("relyingParty"), text),
      };
    default:
      throw notAState("a kind of identifier");
  }
}

function writeMember({ identifier, addedBy, clientTimestampNs, addedOnChainId }: Member) {
  return {
    identifier: writeIdentifier(identifier),
    addedBy: addedBy && writeIdentifier(addedBy),
    clientTimestampNs: clientTimestampNs?.toString(),
    addedOnChainId: addedOnChainId?.toString(),
  };
}

function readMember(value: unknown): Member {
  const fields = fieldsOf(value);
  return {
    identifier: readIdentifier(fields.get("identifier")),
    addedBy: optional(fields.get("addedBy"), readIdentifier),
    clientTimestampNs: optional(fields.get("clientTimestampNs"), bigint),
    addedOnChainId: optional(fields.get("addedOnChainId"), bigint),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function unhex(value: unknown): Uint8Array {
  return Uint8Array.from(Buffer.from(text(value), "hex"));
}

function bigint(value: unknown): bigint {
  return BigInt(text(value));
}

function text(value: unknown): string {
  if (typeof value !== "string") throw notAState("a text");
  return value;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw notAState("a list");
  return value;
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null) throw notAState("an object");
  return new Map(Object.entries(value));
}

function notAState(wanted: string): Error {
  return new Error(`a stored association state is damaged: wanted ${wanted}; fold the inbox's log again`);
}
