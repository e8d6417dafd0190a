import type { Millis } from "./session/events";

/**
 * A token bucket: `perSecond` in the long run, `burst` at once.
 *
 * Time is an argument; tokens come back continuously, so there is no moment at which a window resets.
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: Millis;

  constructor(perSecond: number, burst: number, now: Millis) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  /** Takes one token; `false` if there is none, and then nothing changes. */
  take(now: Millis): boolean {
    const elapsedMs = Math.max(0, now - this.#filledAt);
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs * this.#perSecond) / 1_000);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
