import type { Clock } from "../../base/clock";

/**
 * Turns for work that holds the process up for a millisecond or two at a time, as the verification of a signature does.
 * Between any two of them everything else gets its turn, however many ask at once: streams are not late with
 * their Pings because somebody publishes a thousand signatures.
 */
export class WorkTurns {
  readonly #clock: Pick<Clock, "sleep">;
  #last: Promise<void> = Promise.resolve();

  constructor(clock: Pick<Clock, "sleep">) {
    this.#clock = clock;
  }

  /** Resolves when it is the caller's turn, in the order of asking. The turn is over when the caller next waits. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => this.#clock.sleep(0));
    return this.#last;
  }
}
