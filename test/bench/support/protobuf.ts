/**
 * The few bytes of protobuf that the load clients need, by hand: encoding with a library would cost them
 * more than what they measure.
 */

export function varint(value: bigint | number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** A length-delimited field. */
export function field(number: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(payload.length), payload]);
}

/** A varint field. */
export function uint(number: number, value: bigint | number): Buffer {
  return Buffer.concat([Buffer.from([number << 3]), varint(value)]);
}

/** A SubscribeRequest that adds group topics from a cursor. */
export function mutateRequest(mutateId: bigint, groupIds: readonly Uint8Array[], cursor: bigint): Buffer {
  const adds = groupIds.map((id) =>
    field(1, Buffer.concat([field(1, Buffer.concat([Buffer.from([0]), id])), uint(2, cursor)])),
  );
  return field(1, field(1, Buffer.concat([...adds, uint(4, mutateId)])));
}

/** A SubscribeRequest that answers a Ping. */
export function pongRequest(nonce: bigint): Buffer {
  return field(1, field(3, uint(1, nonce)));
}

/** A SendGroupMessagesRequest. */
export function sendRequest(messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(messages.map((data) => field(1, field(1, field(1, data)))));
}

/** A well-formed MLS PrivateMessage of a group, about `bytes` long, that starts with `head` in its ciphertext. */
export function mlsMessage(groupId: Uint8Array, head: Uint8Array, bytes: number): Buffer {
  const fixed = 4 + 1 + groupId.length + 8 + 1 + 1 + 1 + 2;
  const ciphertext = Buffer.alloc(Math.max(bytes - fixed, head.length));
  ciphertext.set(head);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(0x4000 | ciphertext.length);
  return Buffer.concat([
    Buffer.from([0, 1, 0, 2, groupId.length]),
    groupId,
    Buffer.alloc(8),
    Buffer.from([1, 0, 0]),
    ciphertext.length < 64 ? Buffer.from([ciphertext.length]) : length,
    ciphertext,
  ]);
}

/** Bytes of which each issue has another head, without being made anew. */
export class Numbered {
  readonly #bytes: Buffer;
  readonly #at: number;
  #next = 0;

  /** @param make puts eight bytes of head into a message or a request. */
  constructor(make: (head: Uint8Array) => Buffer) {
    const mark = crypto.getRandomValues(Buffer.alloc(8));
    this.#bytes = make(mark);
    this.#at = this.#bytes.lastIndexOf(mark);
  }

  /** Valid until the next one. */
  next(): Buffer {
    this.#bytes.writeDoubleBE(this.#next++, this.#at);
    return this.#bytes;
  }
}

/** What a SubscribeResponse holds, as far as a load client cares. */
export type Seen =
  | { readonly kind: "messages"; readonly count: number }
  | { readonly kind: "ping"; readonly nonce: bigint }
  | { readonly kind: "complete" }
  | { readonly kind: "other" };

/** Reads a SubscribeResponse, counting the entries of a delivery frame without looking into them. */
export function readResponse(bytes: Buffer, onEntry?: (entry: Buffer) => void): Seen {
  const v1 = readField(bytes, 0);
  const arm = readField(bytes, v1.start);
  if (arm.number === 6) return { kind: "complete" };
  if (arm.number === 3)
    return { kind: "ping", nonce: arm.start < arm.end ? readVarint(bytes, arm.start + 1).value : 0n };
  if (arm.number !== 1) return { kind: "other" };
  let count = 0;
  for (let at = arm.start; at < arm.end; ) {
    const entry = readField(bytes, at);
    if (entry.number === 1) {
      count++;
      onEntry?.(bytes.subarray(entry.start, entry.end));
    }
    at = entry.end;
  }
  return { kind: "messages", count };
}

interface FieldBounds {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** The field that starts at `at`; a varint field's value lies in its bounds. */
export function readField(bytes: Buffer, at: number): FieldBounds {
  const tag = bytes[at] ?? 0;
  let length = 0;
  let shift = 0;
  let next = at + 1;
  if ((tag & 7) === 0) {
    while (((bytes[next] ?? 0) & 0x80) !== 0) next++;
    return { number: tag >> 3, start: at + 1, end: next + 1 };
  }
  for (;;) {
    const byte = bytes[next++] ?? 0;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
    shift += 7;
  }
  return { number: tag >> 3, start: next, end: next + length };
}

export function readVarint(bytes: Buffer, at: number): { readonly value: bigint; readonly end: number } {
  let value = 0n;
  let shift = 0n;
  for (let next = at; ; next++) {
    const byte = bytes[next] ?? 0;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value, end: next + 1 };
    shift += 7n;
  }
}
