/** The one place where timers are made. */

/** Time, for whoever waits or stamps. Tests bring their own. */
export interface Clock {
  /** Monotonic, in milliseconds from an arbitrary start; never goes back when the wall clock does. */
  now(): number;
  /** Wall clock, in nanoseconds since 1970. */
  wallNs(): bigint;
  /** Calls back once, `ms` from now (0 = in a later turn), unless disposed of before. The timer alone keeps no process alive. */
  after(ms: number, callback: () => void): Disposable;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNs: () => BigInt(Date.now()) * 1_000_000n,
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return timer; // disposable itself: one object less for each of many thousands
  },
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

/** Sleeps; `false` as soon as the signal aborts, without a throw: for loops that end with it. */
export async function pause(clock: Pick<Clock, "sleep">, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
