/** One reconnect storm and what it took, for questions. */

import type { RowsRead } from "../memory/costs";
import type { Metered } from "../support/meter";
import { flags, runJson, type Target } from "../support/processes";
import type { LiveProbeResult } from "./live-probe";

export interface StormSize {
  readonly streams: number;
  readonly topics: number;
  readonly connections: number;
  /** Over which the connections come. */
  readonly seconds: number;
}

/** All streams connected, or reconnected. */
export interface Storm {
  readonly clientCpuShare: number;
  /** CPU time of the node beyond what the live probe takes. NaN (null in JSON) if that is not ours to look at. */
  readonly serverCpuSeconds: number;
  /** From the first connection until the last stream was caught up. */
  readonly completeMs: number;
  /** From connecting until caught up, of a stream, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** What others noticed of it. */
  readonly live: LiveProbeResult;
  /** The same just before it. */
  readonly calm: LiveProbeResult;
  /** Absent when the database is not ours to look at. */
  readonly rowsRead?: RowsRead;
}

/** One message published for each stream, and delivered. */
export interface OneEach extends Metered {
  readonly deliveredMs: number;
}

export interface StormLoad {
  readonly first: Storm;
  /** Everyone again, while the node runs. */
  readonly again: Storm;
  readonly oneEach: OneEach;
}

/** `filled`: messages of the store, one per topic; 0: a store of which nothing is known. */
export function raiseStorm(target: Target, size: StormSize, filled: number): Promise<StormLoad> {
  const { address, pid = "", databaseDir = "" } = target;
  const args = flags({ address, pid, database: databaseDir, filled, ...size });
  return runJson<StormLoad>(["test/bench/storm/load.ts", ...args]);
}
