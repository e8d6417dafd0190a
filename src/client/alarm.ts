import type { Clock } from "../base/clock";

/** One timer that follows a deadline. It may go off early, never late: whoever hears it looks at the deadline again. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #timer: { readonly at: number; readonly handle: Disposable } | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Sees to it that it rings at `at`; `undefined`: not at all. Both on the same clock, in milliseconds. */
  set(at: number | undefined, now: number): void {
    if (at !== undefined && this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.handle[Symbol.dispose]();
    this.#timer = undefined;
    if (at === undefined) return;
    const handle = this.#clock.after(Math.max(0, at - now), () => {
      this.#timer = undefined;
      this.#ring();
    });
    this.#timer = { at, handle };
  }
}
