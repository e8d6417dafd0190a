import type { Millis } from "../time";

export interface BackoffOptions {
  /** Most that the first wait can take. */
  readonly firstMs: Millis;
  /** Most that any wait can take. */
  readonly mostMs: Millis;
  /** How long a stream must have lived for the next wait to be a first one again. */
  readonly healthyMs: Millis;
}

export const DEFAULT_BACKOFF: BackoffOptions = { firstMs: 100, mostMs: 30_000, healthyMs: 10_000 };

/**
 * How long to wait before the next stream is opened (C-6).
 *
 * Full jitter: anywhere between nothing and a bound that doubles with every failure, so that the clients of
 * a node that went down do not come back in step. A stream that dies young is a failure too, else a node
 * that accepts and drops would be hammered.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions = DEFAULT_BACKOFF) {
    this.#options = options;
  }

  /**
   * The wait after a stream was lost.
   * @param livedMs how long it was usable; 0 if it never was
   * @param random from 0 up to, but not including, 1
   */
  next(livedMs: Millis, random: number): Millis {
    const { firstMs, mostMs, healthyMs } = this.#options;
    if (livedMs >= healthyMs) this.#failures = 0;
    const bound = Math.min(mostMs, firstMs * 2 ** this.#failures);
    this.#failures++;
    return bound * random;
  }
}
