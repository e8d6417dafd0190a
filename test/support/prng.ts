/**
 * A small deterministic source of choices (mulberry32): the same seed makes the same choices on every machine.
 * Not for anything that must be unpredictable.
 */
export class Prng {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A float in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** An integer in [0, below). */
  int(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** An integer in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.int(high - low + 1);
  }

  /** True in a `probability` share of calls. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the items. @throws RangeError when there is none. */
  pick<T>(items: readonly T[]): T {
    const index = this.int(items.length);
    for (const item of items.slice(index, index + 1)) return item;
    throw new RangeError("nothing to pick from");
  }

  /** A key, in proportion to its weight. @throws RangeError when all weights are 0. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    let total = 0;
    for (const key in weights) total += weights[key];
    let left = this.next() * total;
    for (const key in weights) {
      left -= weights[key];
      if (left < 0) return key;
    }
    throw new RangeError("nothing to pick from: all weights are 0");
  }

  /** A seed for a source of its own. */
  seed(): number {
    return this.int(4_294_967_296);
  }
}
