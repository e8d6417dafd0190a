/** Numbers by their index, for millions of them. What was never set is 0. */
export class Column {
  #values = new Float64Array(1_024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    if (index >= this.#values.length) {
      const wider = new Float64Array(Math.max(index + 1, this.#values.length * 2));
      wider.set(this.#values);
      this.#values = wider;
    }
    this.#values[index] = value;
    if (index >= this.#length) this.#length = index + 1;
  }

  push(value: number): void {
    this.set(this.#length, value);
  }
}

/** Milliseconds of this process. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Moments in ascending order, each with how long something took that ended then; in milliseconds. */
export class Durations {
  readonly #endedAt = new Column();
  readonly #tookMs = new Column();

  get length(): number {
    return this.#endedAt.length;
  }

  /** @param tookMs absent: it is not known, or does not count. */
  add(endedAt: number, tookMs = -1): void {
    this.#endedAt.push(endedAt);
    this.#tookMs.push(tookMs);
  }

  /** Durations of what ended within a span, ascending. */
  within({ fromMs, toMs }: Span): readonly number[] {
    const found: number[] = [];
    for (let i = 0; i < this.length; i++) {
      const at = this.#endedAt.at(i);
      if (at >= fromMs && at < toMs && this.#tookMs.at(i) >= 0) found.push(this.#tookMs.at(i));
    }
    return found.sort((a, b) => a - b);
  }

  /** The longest time within a span in which nothing ended, in milliseconds. */
  longestSilence({ fromMs, toMs }: Span): number {
    let last = fromMs;
    let longest = 0;
    for (let i = 0; i < this.length; i++) {
      const at = this.#endedAt.at(i);
      if (at < fromMs || at >= toMs) continue;
      longest = Math.max(longest, at - last);
      last = at;
    }
    return Math.max(longest, toMs - last);
  }
}
