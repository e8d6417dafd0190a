/**
 * The fields of a protobuf message that is carried in another format's bytes (a credential, a legacy key), where
 * two or three of them matter. Every other message is decoded in src/wire.
 */

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

export interface Field {
  readonly number: number;
  /** Of a length-delimited field, a view of the input; of any other, empty. */
  readonly bytes: Uint8Array;
}

const EMPTY = new Uint8Array();

/** The fields in their order, or undefined if the bytes are no message to their end. Groups are not known. */
export function readFields(input: Uint8Array): readonly Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  while (at < input.length) {
    const tag = readVarint(input, at);
    if (tag === undefined || tag.value < 8n || tag.value >= 2n ** 32n) return undefined;
    const value = readValue(input, tag.end, Number(tag.value & 7n));
    if (value === undefined) return undefined;
    fields.push({ number: Number(tag.value >> 3n), bytes: value.bytes });
    at = value.end;
  }
  return fields;
}

/** The last occurrence of a length-delimited field, as protobuf has it; undefined if there is none. */
export function lastBytes(fields: readonly Field[], number: number): Uint8Array | undefined {
  return fields.findLast((field) => field.number === number)?.bytes;
}

function readValue(input: Uint8Array, at: number, wireType: number): { bytes: Uint8Array; end: number } | undefined {
  if (wireType === WIRE_VARINT) {
    const varint = readVarint(input, at);
    return varint === undefined ? undefined : { bytes: EMPTY, end: varint.end };
  }
  const length = readLength(input, at, wireType);
  if (length === undefined || length.value > BigInt(input.length - length.end)) return undefined;
  const end = length.end + Number(length.value);
  return { bytes: wireType === WIRE_BYTES ? input.subarray(length.end, end) : EMPTY, end };
}

function readLength(input: Uint8Array, at: number, wireType: number): Varint | undefined {
  if (wireType === WIRE_BYTES) return readVarint(input, at);
  if (wireType === WIRE_FIXED64) return { value: 8n, end: at };
  return wireType === WIRE_FIXED32 ? { value: 4n, end: at } : undefined;
}

interface Varint {
  readonly value: bigint;
  readonly end: number;
}

/** At most ten bytes; what exceeds 64 bits is refused. */
function readVarint(input: Uint8Array, start: number): Varint | undefined {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    const byte = input[start + index];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return value < 2n ** 64n ? { value, end: start + index + 1 } : undefined;
  }
  return undefined;
}
