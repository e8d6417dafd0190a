import type { Clock } from "../../base/clock";
import { ConformanceFailure } from "../failure";

/** Whoever waits for something to be so is woken at every change. */
export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something changed: everybody looks again. */
  wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  /**
   * Resolves with what `look` finds as soon as it finds something.
   * @throws ConformanceFailure that it expected `what` and got what `instead` says, after `withinMs` or once `hopeless` says so.
   */
  until<T>(look: () => T | undefined, wait: Wait): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const settle = (): boolean => {
      const found = look();
      if (found !== undefined) resolve(found);
      else if (wait.hopeless?.() === true) reject(new ConformanceFailure(wait.what, wait.instead()));
      else return false;
      return true;
    };
    if (settle()) return promise;
    const timer = this.#clock.after(wait.withinMs, () => {
      this.#waiting.delete(onChange);
      reject(new ConformanceFailure(`${wait.what} within ${Math.round(wait.withinMs)} ms`, wait.instead()));
    });
    const onChange = () => {
      if (!settle()) return;
      this.#waiting.delete(onChange);
      timer[Symbol.dispose]();
    };
    this.#waiting.add(onChange);
    return promise;
  }
}

/** What is waited for, for how long, and what is said if it does not come. */
export interface Wait {
  readonly what: string;
  readonly withinMs: number;
  readonly instead: () => string;
  /** Whether it cannot come any more. */
  readonly hopeless?: () => boolean;
}
