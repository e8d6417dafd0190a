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
  /** `undefined` while nothing was queued: for most of a stream's life. */
  #items: Offset[] | undefined;
  #at = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get length(): number {
    return this.#items === undefined ? 0 : this.#items.length - this.#at;
  }

  /** The lowest offset, left in place. */
  get first(): Offset | undefined {
    return this.#items?.[this.#at];
  }

  /** Appends an offset above all others; `false` if the queue is full. */
  push(offset: Offset): boolean {
    if (this.length >= this.#max) return false;
    this.#items ??= [];
    if (this.#at > KEPT_OFFSETS && this.#at * 2 > this.#items.length) this.#compact(this.#items);
    this.#items.push(offset);
    return true;
  }

  /** Drops the lowest offset. */
  shift(): void {
    this.#at++;
    if (this.length <= 0) this.clear();
  }

  clear(): void {
    this.#at = 0;
    if (this.#items === undefined) return;
    if (this.#items.length > KEPT_OFFSETS) this.#items = undefined;
    else this.#items.length = 0;
  }

  /** Takes in the offsets of another queue, in order; `false` if all of them do not fit, and then nothing changes. */
  merge(other: OffsetQueue): boolean {
    if (this.length + other.length > this.#max) return false;
    const ours = this.#items?.slice(this.#at) ?? [];
    const theirs = other.#items?.slice(other.#at) ?? [];
    this.#items = ours.concat(theirs).sort((a, b) => a - b);
    this.#at = 0;
    return true;
  }

  #compact(items: Offset[]): void {
    items.copyWithin(0, this.#at);
    items.length -= this.#at;
    this.#at = 0;
  }
}
