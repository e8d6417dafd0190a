import type { Clock } from "../base/clock";
import { StoreError } from "../store/error";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export interface Patience {
  readonly clock: Clock;
  /** Ends the waiting: its reason is thrown. */
  readonly signal: AbortSignal;
  /** Milliseconds after the first failure in which it is tried again; `undefined`: for ever, whatever the failure is. */
  readonly giveUpMs: number | undefined;
  /** Told of each failure before the pause that follows it. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * Tries until it works, with pauses that double from 50 ms to 1 s.
 * @throws what the last attempt threw: once patience is at its end, or at once when another attempt is of no use.
 */
export async function persist<T>(attempt: () => Promise<T>, patience: Patience): Promise<T> {
  const { clock, signal, giveUpMs } = patience;
  let pauseMs = FIRST_PAUSE_MS;
  let giveUpAt: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (giveUpMs !== undefined) {
        giveUpAt ??= clock.now() + giveUpMs;
        if (!isRetryable(error) || clock.now() + pauseMs > giveUpAt) throw error;
      }
      patience.onFailure?.(error);
    }
    await clock.sleep(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof StoreError && error.retryable;
}

/** What may be said of an error in a log or to a peer: its kind of fault, never a parameter. */
export function faultOf(error: unknown): string {
  return error instanceof StoreError ? error.fault : error instanceof Error ? error.name : "unknown";
}
