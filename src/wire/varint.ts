/**
 * Varints of the protobuf encoding, for the hot paths that write into a buffer sized beforehand.
 *
 * 64-bit values go through a scratch that holds nothing between calls: splitting a bigint by arithmetic
 * would allocate two more.
 */

const WORD = 2 ** 32;
const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);
const LOW = new Uint8Array(new BigUint64Array([1n]).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

/** Bytes that a varint of `value` takes: 1 to 5. `value` is an integer from 0 up to 2^32 - 1. */
export function sizeOfVarint(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** Writes a varint and returns where it ends. `value` is an integer from 0 up to 2^32 - 1. */
export function writeVarint(value: number, target: Uint8Array, at: number): number {
  let rest = value;
  let end = at;
  while (rest > 0x7f) {
    target[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[end++] = rest;
  return end;
}

/** Bytes that a varint of `value` takes: 1 to 10. `value` is from 0 up to 2^64 - 1. */
export function sizeOfVarint64(value: bigint): number {
  whole[0] = value;
  const high = halves[HIGH] ?? 0;
  const low = halves[LOW] ?? 0;
  if (high === 0) return sizeOfVarint(low);
  // The lowest 28 bits take four bytes; what is left has at most 36.
  const rest = high * 16 + (low >>> 28);
  if (rest < WORD) return 4 + sizeOfVarint(rest);
  return rest < 2 ** 35 ? 9 : 10;
}

/** Writes a varint and returns where it ends. `value` is from 0 up to 2^64 - 1. */
export function writeVarint64(value: bigint, target: Uint8Array, at: number): number {
  whole[0] = value;
  let high = halves[HIGH] ?? 0;
  let low = halves[LOW] ?? 0;
  let end = at;
  while (high !== 0) {
    target[end++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  return writeVarint(low, target, end);
}

/** Where the varint that begins at `at` ends; its value is not read. */
export function skipVarint(source: Uint8Array, at: number): number {
  let end = at;
  while ((source[end] ?? 0) > 0x7f) end++;
  return end + 1;
}
