/** What the kit publishes: well-formed, and nothing that anybody could decrypt. Written from RFC 9420, not from a node. */

import { randomBytes } from "node:crypto";

/** Content types of an MLS PrivateMessage. */
export const CONTENT = { application: 1, proposal: 2, commit: 3 } as const;

export interface MlsMessageParts {
  readonly groupId: Uint8Array;
  /** One of {@link CONTENT}, or a number that is none. */
  readonly contentType?: number;
  /** Bytes of ciphertext; random. */
  readonly bytes?: number;
  /** Wire format: 2 is PrivateMessage. */
  readonly wireFormat?: number;
  readonly version?: number;
}

/** An MLSMessage (RFC 9420, section 6) that holds a PrivateMessage; no two are alike. */
export function mlsMessage({
  groupId,
  contentType = CONTENT.application,
  bytes = 16,
  wireFormat = 2,
  version = 1,
}: MlsMessageParts): Uint8Array {
  const epoch = Buffer.alloc(8);
  return Buffer.concat([
    Buffer.from([0, version, 0, wireFormat]),
    vector(groupId),
    epoch,
    Buffer.from([contentType]),
    vector(new Uint8Array()),
    vector(randomBytes(16)),
    vector(randomBytes(bytes)),
  ]);
}

/** `opaque<V>`: the two highest bits of the length tell its own size. */
function vector(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([lengthOf(bytes.length), bytes]);
}

function lengthOf(length: number): Buffer {
  if (length < 1 << 6) return Buffer.from([length]);
  const size = length < 1 << 14 ? 2 : 4;
  const head = Buffer.alloc(size);
  head.writeUIntBE(length, 0, size);
  head.writeUInt8(head.readUInt8(0) | (size === 2 ? 0x40 : 0x80), 0);
  return head;
}
