/** Arrays as they travel to and from Postgres, in the form that costs both ends least. */

import { MAX_CURSOR } from "../core/limits";
import type { Topic } from "../core/topic";

/** Topics as text of a `bytea[]`, by which both drivers send arrays. */
export function topicArray(topics: readonly Topic[]): string {
  // One conversion for all of them: it costs a fifth of one each.
  const hex = Buffer.from(topics.join(""), "latin1").toString("hex");
  let end = 0;
  const elements = topics.map((topic) => {
    const start = end;
    end += topic.length * 2;
    return `"\\\\x${hex.slice(start, end)}"`;
  });
  return `{${elements.join()}}`;
}

/** Byte strings as text of a `bytea[]`. */
export function bytesArray(list: readonly Uint8Array[]): string {
  return `{${list.map((bytes) => `"\\\\x${Buffer.from(bytes).toString("hex")}"`).join()}}`;
}

/** Texts as text of a `text[]`. */
export function textArray(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`).join()}}`;
}

/** Ids, or other whole numbers, as text of an `int8[]` or a smaller one. */
export function idArray(ids: readonly (bigint | number)[] | BigInt64Array): string {
  return `{${ids.join()}}`;
}

/**
 * The ids that the server packed by `string_agg(int8send(id), '')`: 8 bytes each, big-endian. A tenth of the cost
 * of rows. Nothing packed is no ids.
 */
export function idsOf(packed: unknown): BigInt64Array {
  const bytes = new Uint8Array(packed instanceof Uint8Array ? packed : []);
  Buffer.from(bytes.buffer).swap64();
  return new BigInt64Array(bytes.buffer);
}

/** The bytes that the server packed, each with its length before it in 4 bytes, as text of one character a byte. */
export function textsOf(packed: unknown): readonly string[] {
  if (!(packed instanceof Uint8Array)) return [];
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    texts.push(bytes.toString("latin1", at + 4, end));
    at = end;
  }
  return texts;
}

export function concatenate(parts: readonly BigInt64Array[]): BigInt64Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const all = new BigInt64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Consecutive parts of at most `size` each. */
export function* chunks<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size);
}

/** The nearest id that a column can hold: a cursor of a client may be any uint64. */
export function clampId(id: bigint): bigint {
  return id > MAX_CURSOR ? MAX_CURSOR : id;
}
