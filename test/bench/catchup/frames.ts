/** Requests with a cursor per topic, and responses with the ids in them: what exact accounts need. */

import { field, readField, readVarint, uint } from "../support/protobuf";

/** A group topic and where to begin. */
export interface Add {
  readonly groupId: Uint8Array;
  /** Exclusive. */
  readonly cursor: number;
}

/** A SubscribeRequest that adds group topics, each from its own cursor. */
export function addRequest(mutateId: number, adds: readonly Add[]): Buffer {
  const fields = adds.map(({ groupId, cursor }) => {
    const topic = Buffer.concat([Buffer.from([0]), groupId]);
    return field(1, Buffer.concat([field(1, topic), uint(2, cursor)]));
  });
  return field(1, field(1, Buffer.concat([...fields, uint(4, mutateId)])));
}

/** Of a delivery frame: field 3, a varint. */
const MUTATE_ID_TAG = 0x18;

/** What a SubscribeResponse says. */
export type Response =
  | { readonly kind: "started" }
  | { readonly kind: "ping"; readonly nonce: bigint }
  | { readonly kind: "complete"; readonly mutateId: number }
  /** Ids in the order of the frame; the Mutate's id, 0 = live. */
  | { readonly kind: "messages"; readonly mutateId: number; readonly ids: readonly number[] }
  | { readonly kind: "other" };

/** Reads a SubscribeResponse: of its messages only the ids, which are below 2^53. */
export function readResponse(bytes: Buffer): Response {
  const arm = readField(bytes, readField(bytes, 0).start);
  switch (arm.number) {
    case 1:
      return readMessages(bytes, arm.start, arm.end);
    case 2:
      return { kind: "started" };
    case 3:
      return { kind: "ping", nonce: arm.start < arm.end ? readVarint(bytes, arm.start + 1).value : 0n };
    case 6:
      return { kind: "complete", mutateId: arm.start < arm.end ? readNumber(bytes, arm.start + 1) : 0 };
    default:
      return { kind: "other" };
  }
}

/** Reads the ids alone, skipping over the rest: the load client must be far faster than the node. */
function readMessages(bytes: Buffer, start: number, end: number): Response {
  const ids: number[] = [];
  let mutateId = 0;
  for (let at = start; at < end; ) {
    const tag = bytes[at] ?? 0;
    if (tag === MUTATE_ID_TAG) {
      mutateId = readNumber(bytes, at + 1);
      at = skipVarint(bytes, at + 1);
      continue;
    }
    const length = readNumber(bytes, at + 1);
    const message = skipVarint(bytes, at + 1);
    // The message is one arm of its `version`; the first field of that is the id.
    const arm = skipVarint(bytes, message + 1);
    ids.push(readNumber(bytes, arm + 1));
    at = message + length;
  }
  return { kind: "messages", mutateId, ids };
}

function skipVarint(bytes: Buffer, at: number): number {
  let end = at;
  while ((bytes[end] ?? 0) > 0x7f) end++;
  return end + 1;
}

/** A varint below 2^53. */
function readNumber(bytes: Buffer, at: number): number {
  let value = 0;
  let factor = 1;
  for (let next = at; ; next++) {
    const byte = bytes[next] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
    factor *= 128;
  }
}
