import type { Offset } from "../tail";

/** Storage above this many offsets is given back when the queue runs empty, so that an idle stream stays small. */
const KEPT_OFFSETS = 64;

/**
 * Ascending offsets, taken from the front: what a lane has yet to deliver, without a byte of it (I11).
 *
 * Bounded: an offset that finds the queue full is refused, and the caller falls back to the store.
 */
export class OffsetQueue {
  readonly #max: number;
  #items: Offset[] = [];
  #at = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#items.length - this.#at;
  }

  /** The lowest offset, left in place. */
  get first(): Offset | undefined {
    return this.#items[this.#at];
  }

  /** Appends an offset above all others; `false` if the queue is full. */
  push(offset: Offset): boolean {
    if (this.length >= this.#max) return false;
    if (this.#at > KEPT_OFFSETS && this.#at * 2 > this.#items.length) this.#compact();
    this.#items.push(offset);
    return true;
  }

  /** Drops the lowest offset. */
  shift(): void {
    this.#at++;
    if (this.#at >= this.#items.length) this.clear();
  }

  clear(): void {
    if (this.#items.length > KEPT_OFFSETS) this.#items = [];
    else this.#items.length = 0;
    this.#at = 0;
  }

  /** Takes in the offsets of another queue, in order; `false` if all of them do not fit, and then nothing changes. */
  merge(other: OffsetQueue): boolean {
    if (this.length + other.length > this.#max) return false;
    const ours = this.#items.slice(this.#at);
    const theirs = other.#items.slice(other.#at);
    this.#items = ours.concat(theirs).sort((a, b) => a - b);
    this.#at = 0;
    return true;
  }

  #compact(): void {
    this.#items.copyWithin(0, this.#at);
    this.#items.length -= this.#at;
    this.#at = 0;
  }
}
