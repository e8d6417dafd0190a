/**
 * Reads the presentation language of TLS as MLS uses it (RFC 9420, section 2.1), and says exactly where and
 * why bytes are not what they should be.
 */

/** Why bytes are not the structure they should be. */
export type FaultReason =
  /** The input ends within the field. */
  | "cutOff"
  /** A length prefix that no encoder may write: reserved, or longer than its value needs (section 2.1.2). */
  | "badLength"
  /** A number that this node has no use for. */
  | "badValue"
  /** Bytes are left after the last field. */
  | "trailingBytes";

/** What is wrong with an input. It quotes no payload. */
export interface ParseFault {
  readonly reason: FaultReason;
  /** Name of the field, as the RFC spells it. */
  readonly field: string;
  /** Where it begins, in bytes from the start of the input. */
  readonly offset: number;
  readonly wanted: string;
  readonly found: string;
}

/** A fault in one sentence. */
export function describeFault(fault: ParseFault): string {
  return `${fault.field} at byte ${fault.offset}: wanted ${fault.wanted}, found ${fault.found}`;
}

/**
 * Reads fields one after the other. The first fault is kept and everything read after it is zero or empty,
 * so that a parser reads all its fields and asks for {@link fault} once.
 *
 * Every published message goes through here, and a view of the input costs more than all of a field's bytes: so none is
 * made but what is asked for.
 */
export class TlsReader {
  readonly #input: Uint8Array;
  #at = 0;
  #fault: ParseFault | undefined;

  constructor(input: Uint8Array) {
    this.#input = input;
  }

  /** What went wrong first, if anything did. */
  get fault(): ParseFault | undefined {
    return this.#fault;
  }

  /** An unsigned number of `size` bytes, 1 to 8, big end first. */
  uint(field: string, size: number): bigint {
    if (!this.#has(field, this.#at, size, plural)) return 0n;
    const lowBytes = Math.min(size, 4);
    const high = this.#number(size - lowBytes);
    return (BigInt(high) << 32n) | BigInt(this.#number(lowBytes));
  }

  /** An unsigned number of `size` bytes, 1 to 4, big end first, that has to be one of those `known`. */
  oneOf(field: string, size: number, known: readonly number[]): number {
    const offset = this.#at;
    const value = this.#has(field, offset, size, plural) ? this.#number(size) : 0;
    if (!known.includes(value)) {
      this.#fail({ reason: "badValue", field, offset, wanted: known.join(" or "), found: `${value}` });
    }
    return value;
  }

  /** `opaque field<V>`: a length, then that many bytes. A view of the input, not a copy. */
  opaque(field: string): Uint8Array {
    const length = this.#lengthOfRest(field);
    this.#at += length;
    return this.#input.subarray(this.#at - length, this.#at);
  }

  /** The same field, if nobody wants what is in it. */
  skipOpaque(field: string): void {
    const length = this.#lengthOfRest(field);
    this.#at += length;
  }

  /** To be called after the last field. */
  end(): void {
    const left = this.#input.length - this.#at;
    if (left === 0) return;
    const wanted = "the end of the message";
    this.#fail({ reason: "trailingBytes", field: "end", offset: this.#at, wanted, found: `${plural(left)} more` });
  }

  /** The length of a vector of which all bytes are there. */
  #lengthOfRest(field: string): number {
    const offset = this.#at;
    const length = this.#length(field);
    return this.#has(field, offset, length, bytesAfterLength) ? length : 0;
  }

  /** A length as variable-size vectors carry it: the two highest bits say how many bytes it takes, 1, 2 or 4. */
  #length(field: string): number {
    const offset = this.#at;
    const first = this.#has(field, offset, 1, anyLength) ? this.#number(1) : 0;
    const prefix = first >>> 6;
    if (prefix === 3) {
      const wanted = "a length of 1, 2 or 4 bytes";
      this.#fail({ reason: "badLength", field, offset, wanted, found: "the reserved prefix 11" });
      return 0;
    }
    const size = 1 << prefix;
    if (!this.#has(field, offset, size - 1, restOfLength)) return 0;
    const length = (first & 0x3f) * 256 ** (size - 1) + this.#number(size - 1);
    const least = sizeOfLength(length);
    if (size > least && this.#fault === undefined) {
      const found = `one in ${plural(size)}`;
      const wanted = `the length ${length} in ${plural(least)}, the fewest possible`;
      this.#fail({ reason: "badLength", field, offset, wanted, found });
    }
    return length;
  }

  /** Whether nothing was wrong so far and `count` bytes are left. `wanted` says in words what they are. */
  #has(field: string, offset: number, count: number, wanted: (count: number) => string): boolean {
    if (this.#fault !== undefined) return false;
    const left = this.#input.length - this.#at;
    if (count <= left) return true;
    const found = left === 0 ? "the end of the input" : `${plural(left)} and the end of the input`;
    this.#fail({ reason: "cutOff", field, offset, wanted: wanted(count), found });
    return false;
  }

  /** The next `size` bytes, up to 4, as a number. They must be there. */
  #number(size: number): number {
    let value = 0;
    for (const end = this.#at + size; this.#at < end; this.#at++) value = value * 256 + (this.#input[this.#at] ?? 0);
    return value;
  }

  #fail(fault: ParseFault): void {
    this.#fault ??= fault;
  }
}

/** Bytes that the length of a variable-size vector takes: 1, 2 or 4. @throws RangeError from 2^30 on. */
export function sizeOfLength(length: number): number {
  if (length < 0x40) return 1;
  if (length < 0x4000) return 2;
  if (length < 0x40000000) return 4;
  throw new RangeError(`a vector holds fewer than 2^30 bytes; got ${length}`);
}

const anyLength = () => "a length";
const restOfLength = (count: number) => `a length of ${plural(count + 1)}`;
const bytesAfterLength = (count: number) => `${plural(count)} after the length`;

function plural(count: number): string {
  return count === 1 ? "1 byte" : `${count} bytes`;
}
