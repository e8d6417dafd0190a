/** Retention: what is older than it may be is deleted, a little at a time, for as long as a node runs. */

import { type Clock, pause } from "../base/clock";
import type { Logger } from "../base/log";
import { KINDS, type Kind, type PerKind } from "../core/topic";
import { StoreError } from "./error";
import type { Deleted, Deleter } from "./types";

export interface RetentionOptions {
  readonly deleter: Deleter;
  /** How old messages of a kind may become, in milliseconds; `undefined`: as old as they like. */
  readonly maxAgeMs: PerKind<number | undefined>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called after each commit, and after each look that another process spoilt. */
  readonly onDeleted: (kind: Kind, deleted: Deleted) => void;
  /** At least 0 and below 1; keeps the nodes of a database from coming all at once. Default Math.random. */
  readonly random?: () => number;
}

/** Rounds of deleting come at least so often, in milliseconds, and at least this often in the life of a message. */
const LONGEST_ROUND_MS = 60_000;
const ROUNDS_PER_AGE = 100;
/** After each commit the database has this many times as long to itself as that took, and at least so many milliseconds. */
const REST_FACTOR = 2;
const SHORTEST_REST_MS = 5;

/** Deletes until it is disposed of, which waits for the commit under way. */
export function startRetention(options: RetentionOptions): AsyncDisposable {
  const stopping = new AbortController();
  const kinds = KINDS.map((kind) => keepDeleting(kind, options, stopping.signal));
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await Promise.all(kinds);
    },
  };
}

async function keepDeleting(kind: Kind, options: RetentionOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, random = Math.random, maxAgeMs } = options;
  const ageMs = maxAgeMs[kind];
  if (ageMs === undefined) return;
  const roundMs = Math.min(LONGEST_ROUND_MS, ageMs / ROUNDS_PER_AGE);
  let above = 0n;
  do {
    try {
      above = await deleteRound(kind, above, options, signal);
    } catch (error) {
      // The store has told of trouble that passes; the next round begins where this one ended.
      if (!(error instanceof StoreError && error.retryable)) log.error("retention failed", { kind, error: `${error}` });
    }
  } while (await pause(clock, roundMs * (0.5 + random() / 2), signal));
}

/** Deletes all that is too old now, unless another process is at it. Returns up to which id nothing is left. */
async function deleteRound(kind: Kind, from: bigint, options: RetentionOptions, signal: AbortSignal): Promise<bigint> {
  const { deleter, clock, maxAgeMs, onDeleted } = options;
  const ageNs = BigInt(maxAgeMs[kind] ?? 0) * 1_000_000n;
  for (let above = from; ; ) {
    const begunAt = clock.now();
    const deleted = await deleter.deleteOld({ kind, above, ageNs });
    onDeleted(kind, deleted);
    above = deleted.goneUpTo;
    const restMs = Math.max(SHORTEST_REST_MS, REST_FACTOR * (clock.now() - begunAt));
    // Aborted: what is left waits for another process.
    if (!deleted.more || !(await pause(clock, restMs, signal))) return above;
  }
}
