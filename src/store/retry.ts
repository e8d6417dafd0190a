/** Repeats what failed for reasons that pass: a lost connection, a failover, a deadlock. */

import { type Clock, pause } from "../base/clock";
import { diagnose, toStoreError } from "./sql-errors";

export interface RetryPolicy {
  /**
   * How long to go on, in milliseconds: after the first failure, or after the beginning where the server was there
   * and did not get it done. 0: never repeat.
   */
  readonly totalMs: number;
  /** Longest pause before the first repetition, in milliseconds; it doubles with each further one … */
  readonly firstPauseMs: number;
  /** … up to this. The actual pause is a random part of it, so that many who failed together come back apart. */
  readonly maxPauseMs: number;
}

/** Outlasts the restart or failover of a database that is up again in seconds. */
export const DEFAULT_RETRY: RetryPolicy = { totalMs: 5_000, firstPauseMs: 20, maxPauseMs: 500 };

export interface RetryHost {
  readonly clock: Clock;
  readonly policy: RetryPolicy;
  /** At least 0 and below 1. */
  readonly random: () => number;
  /** Called after every attempt that failed, with the driver's error: it may hold parameters. */
  readonly onFailure: (error: unknown) => void;
  readonly onSuccess: () => void;
  /** Aborted: what fails now is not repeated. */
  readonly signal: AbortSignal;
}

/**
 * The answer of the first attempt that succeeds.
 *
 * An attempt whose answer was lost may have taken effect: only what may safely be done twice belongs here.
 * @param what is being done, as in "messages could not be stored".
 * @throws StoreError when the failure is not of the passing kind, or does not pass in time.
 */
export async function retrying<T>(host: RetryHost, what: string, attempt: () => Promise<T>): Promise<T> {
  const { clock, policy, signal } = host;
  const startedAt = clock.now();
  let failedAt: number | undefined;
  for (let repetition = 0; ; repetition++) {
    try {
      const answer = await attempt();
      host.onSuccess();
      return answer;
    } catch (error) {
      host.onFailure(error);
      failedAt ??= clock.now();
      const { remedy } = diagnose(error);
      const giveUpAt = (remedy === "repeat" ? startedAt : failedAt) + policy.totalMs;
      const pauseMs = host.random() * Math.min(policy.maxPauseMs, policy.firstPauseMs * 2 ** repetition);
      const hopeless = remedy === "none" || clock.now() + pauseMs > giveUpAt;
      if (hopeless || !(await pause(clock, pauseMs, signal))) throw toStoreError(error, what);
    }
  }
}
