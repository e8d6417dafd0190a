import type { Clock } from "../../src/base/clock";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** More timers than any test arms for one and the same moment. */
const MAX_TIMERS_AT_ONCE = 100_000;

/** Time that passes only when a test says so. Timers fire in the order of their times, equal ones in the order they were made. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  wallNs(): bigint {
    return 1_700_000_000_000_000_000n + BigInt(Math.round(this.#now * 1_000_000));
  }

  after(ms: number, callback: () => void): Disposable {
    const timer: Timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted) {
      reject(signal.reason);
      return promise;
    }
    const onAbort = () => {
      timer[Symbol.dispose]();
      reject(signal?.reason);
    };
    const timer = this.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    return promise;
  }

  /** How many timers are armed; 0 once everything under test has let go. */
  get armed(): number {
    return this.#timers.size;
  }

  /** When the next timer fires, or `undefined` if none is armed. */
  get nextAt(): number | undefined {
    return this.#earliest()?.at;
  }

  /**
   * Lets `ms` pass and fires what becomes due on the way, timers made by timers included.
   * @throws Error when timers keep making timers for the same moment: whoever is under test spins.
   */
  advance(ms: number): void {
    const end = this.#now + ms;
    let atOnce = 0;
    for (;;) {
      const timer = this.#earliest();
      if (timer === undefined || timer.at > end) break;
      atOnce = timer.at > this.#now ? 0 : atOnce + 1;
      if (atOnce > MAX_TIMERS_AT_ONCE)
        throw new Error(`time stands still at ${this.#now} ms: a timer arms itself again`);
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
    }
    this.#now = end;
  }

  /** As `advance`, but in steps from timer to timer, letting promises settle after each. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let at = this.nextAt; at !== undefined && at <= end; at = this.nextAt) {
      this.advance(Math.max(0, at - this.#now));
      await settle();
    }
    this.advance(end - this.#now);
    await settle();
  }

  #earliest(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.at < first.at) first = timer;
    }
    return first;
  }
}

/** Lets every promise that can settle do so: a turn of the event loop runs all microtasks first. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
