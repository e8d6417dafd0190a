import type { Clock } from "../../src/base/clock";

const TICK_MS = 10;

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/**
 * Time in which this process was running: between two looks it passes by a tick at most, however long the machine had other things
 * to do. For tests that wait in vain on purpose, with both sides in one process: what is only late is late for both.
 */
export class RunningClock implements Clock, Disposable {
  #now = 0;
  readonly #timers = new Set<Timer>();
  readonly #ticking = setInterval(() => this.#tick(), TICK_MS);

  now(): number {
    return this.#now;
  }

  wallNs(): bigint {
    return BigInt(this.#now) * 1_000_000n;
  }

  after(ms: number, callback: () => void): Disposable {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => this.#timers.delete(timer) };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const onAbort = () => {
        timer[Symbol.dispose]();
        reject(signal?.reason);
      };
      const timer = this.after(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticking);
  }

  #tick(): void {
    this.#now += TICK_MS;
    for (const timer of [...this.#timers].toSorted((a, b) => a.at - b.at)) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
  }
}
