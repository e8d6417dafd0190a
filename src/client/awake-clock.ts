import type { Clock } from "../base/clock";

/** A jump of the wall clock against the monotonic one by more than this is a suspension (or someone set the clock: no harm in asking). */
const JUMP_MS = 2_000;

/**
 * Monotonic milliseconds that count suspensions as well, which the machine's monotonic clock may not (C-2).
 *
 * A suspension shows as the wall clock getting ahead; a wall clock that is set back shows as nothing.
 */
export class AwakeClock {
  readonly #clock: Clock;
  #suspendedMs = 0;
  #leadMs: number;
  #slept = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#leadMs = this.#lead();
  }

  now(): number {
    const leadMs = this.#lead();
    const jumpMs = leadMs - this.#leadMs;
    this.#leadMs = leadMs;
    if (jumpMs > JUMP_MS) {
      this.#suspendedMs += jumpMs;
      this.#slept = true;
    }
    return this.#clock.now() + this.#suspendedMs;
  }

  /** Whether a suspension has been noticed since this was asked last. */
  takeSlept(): boolean {
    this.now();
    const slept = this.#slept;
    this.#slept = false;
    return slept;
  }

  #lead(): number {
    return Number(this.#clock.wallNs() / 1_000_000n) - this.#clock.now();
  }
}
