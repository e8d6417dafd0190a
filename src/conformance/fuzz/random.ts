/** Choices that are the same on every machine for the same seed (mulberry32). Nothing here is unpredictable. */
export class Choices {
  #state: number;

  /** `seed`: 0 to 2^32-1. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  /** True in a `share` of calls. */
  chance(share: number): boolean {
    return this.#next() < share;
  }

  /** One of the items. @throws RangeError if there are none. */
  pick<T>(items: readonly T[]): T {
    for (const item of items.slice(this.between(0, items.length - 1)).slice(0, 1)) return item;
    throw new RangeError("nothing to pick from");
  }

  /** Some of the items, at least one and at most `most`, none twice. */
  some<T>(items: readonly T[], most: number): readonly T[] {
    const left = [...items];
    const count = this.between(1, Math.min(most, left.length));
    return Array.from({ length: count }, () => left.splice(this.between(0, left.length - 1), 1)).flat();
  }

  /** A key, in proportion to its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const bag: K[] = [];
    for (const key in weights) bag.push(...Array.from({ length: weights[key] }, () => key));
    return this.pick(bag);
  }
}
