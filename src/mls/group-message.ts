/**
 * What a node must know of a group message: that it is an MLSMessage (RFC 9420, section 6) which holds a
 * PrivateMessage and nothing else, which group it is for, and whether it changes that group.
 *
 * One message that does not parse to its last byte breaks every later sync of its group, so nothing less
 * than the whole is looked at. What is encrypted stays so; a well-formed message that nobody can decrypt
 * does no harm.
 */

import { type ParseFault, sizeOfLength, TlsReader } from "./reader";

const MLS_VERSION_1 = 1;
const WIRE_FORMAT_PRIVATE_MESSAGE = 2;

const CONTENT_TYPES = { application: 1, proposal: 2, commit: 3 } as const;

const KNOWN_VERSIONS = [MLS_VERSION_1];
const KNOWN_WIRE_FORMATS = [WIRE_FORMAT_PRIVATE_MESSAGE];
const KNOWN_CONTENT_TYPES = Object.values(CONTENT_TYPES);

/** What the encrypted content is. */
export type ContentType = keyof typeof CONTENT_TYPES;

/** What can be read of a PrivateMessage without its keys. */
export interface PrivateMessageHeader {
  /** May be empty as far as MLS is concerned. A view of the input. */
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  readonly contentType: ContentType;
  /** Whether it is a commit or a proposal: what the network calls `is_commit`. */
  readonly isCommit: boolean;
}

export type ParsedGroupMessage =
  | { readonly kind: "header"; readonly header: PrivateMessageHeader }
  | { readonly kind: "invalid"; readonly fault: ParseFault };

/** Reads the whole of a group message. Never throws for what is in it. */
export function parseGroupMessage(data: Uint8Array): ParsedGroupMessage {
  const reader = new TlsReader(data);
  reader.oneOf("version", 2, KNOWN_VERSIONS);
  reader.oneOf("wire_format", 2, KNOWN_WIRE_FORMATS);
  const groupId = reader.opaque("group_id");
  const epoch = reader.uint("epoch", 8);
  const contentType = contentTypeOf(reader.oneOf("content_type", 1, KNOWN_CONTENT_TYPES));
  reader.skipOpaque("authenticated_data");
  reader.skipOpaque("encrypted_sender_data");
  reader.skipOpaque("ciphertext");
  reader.end();
  if (reader.fault !== undefined) return { kind: "invalid", fault: reader.fault };
  return { kind: "header", header: { groupId, epoch, contentType, isCommit: contentType !== "application" } };
}

/** A PrivateMessage to be encoded. */
export interface PrivateMessage {
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  readonly contentType: ContentType;
  readonly authenticatedData: Uint8Array;
  readonly encryptedSenderData: Uint8Array;
  /** Whatever it is, nobody checks that it can be decrypted. */
  readonly ciphertext: Uint8Array;
}

/** The message as {@link parseGroupMessage} reads it. @throws RangeError if a field has 2^30 bytes or more. */
export function encodeGroupMessage(message: PrivateMessage): Uint8Array {
  const { groupId, authenticatedData, encryptedSenderData, ciphertext } = message;
  const head = new Uint8Array(9);
  new DataView(head.buffer).setBigUint64(0, message.epoch);
  head[8] = CONTENT_TYPES[message.contentType];
  return Buffer.concat([
    Uint8Array.of(0, MLS_VERSION_1, 0, WIRE_FORMAT_PRIVATE_MESSAGE),
    ...opaque(groupId),
    head,
    ...opaque(authenticatedData),
    ...opaque(encryptedSenderData),
    ...opaque(ciphertext),
  ]);
}

function contentTypeOf(value: number): ContentType {
  if (value === CONTENT_TYPES.commit) return "commit";
  return value === CONTENT_TYPES.proposal ? "proposal" : "application";
}

/** `opaque<V>`: the length, its two highest bits telling its own size, then the bytes. */
function opaque(bytes: Uint8Array): readonly Uint8Array[] {
  const size = sizeOfLength(bytes.length);
  const length = Buffer.alloc(size);
  length.writeUIntBE(bytes.length, 0, size);
  length[0] = (length[0] ?? 0) | ((size >>> 1) << 6);
  return [length, bytes];
}
