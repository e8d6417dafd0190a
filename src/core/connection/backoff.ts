import type { Millis } from "../time";

/** Most that the first wait can take, in milliseconds, and that any wait can. */
const FIRST_MS = 100;
const MOST_MS = 30_000;
/** How long a stream must have lived, in milliseconds, for the next wait to be a first one again. */
const HEALTHY_MS = 10_000;

/**
 * How long to wait before the next stream is opened (C-6).
 *
 * Full jitter: anywhere between nothing and a bound that doubles with every failure, so that the clients of
 * a node that went down do not come back in step. A stream that dies young is a failure too, else a node
 * that accepts and drops would be hammered.
 */
export class Backoff {
  #failures = 0;

  /**
   * The wait after a stream was lost.
   * @param livedMs how long it was usable; 0 if it never was
   * @param random from 0 up to, but not including, 1
   */
  next(livedMs: Millis, random: number): Millis {
    if (livedMs >= HEALTHY_MS) this.#failures = 0;
    const bound = Math.min(MOST_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures++;
    return bound * random;
  }
}
