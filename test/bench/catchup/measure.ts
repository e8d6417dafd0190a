/** One catch-up and what it took, for questions. */

import type { BenchDatabase } from "../support/database";
import { cpuOf, familyCpuSeconds, flags, runJson, type Target } from "../support/processes";
import type { StoreShape } from "./shape";

/** What load.ts says. */
export interface CatchUpLoad {
  readonly messages: number;
  readonly topics: number;
  readonly messagesPerSecond: number;
  /** Until the first delivery (or the ack, if there is none), the median of the waves. */
  readonly firstFrameMs: number;
  /** The same of the wave that waited longest. */
  readonly lastFirstFrameMs: number;
  /** Until the last wave was complete. */
  readonly ackMs: number;
  readonly clientCpuShare: number;
}

export interface CatchUp extends CatchUpLoad {
  readonly nodeCpuSeconds: number;
  readonly databaseCpuSeconds: number;
}

/** How to catch up, as load.ts knows it. */
export type Way = "big" | "spread" | "recent" | "current" | "waves";

/** Catches up with a filled store through a node that runs on it; fails unless every message comes exactly once. */
export async function catchUp(node: Target, database: BenchDatabase, shape: StoreShape, way: Way): Promise<CatchUp> {
  const before = { node: cpuOf(node), database: familyCpuSeconds(database.pid) };
  const args = flags({ address: node.address, way, ...shape });
  const load = await runJson<CatchUpLoad>(["test/bench/catchup/load.ts", ...args]);
  return {
    ...load,
    nodeCpuSeconds: cpuOf(node) - before.node,
    databaseCpuSeconds: familyCpuSeconds(database.pid) - before.database,
  };
}

/** Messages per second by COPY of the rows with ids in (above, to]. */
export async function copyRows(database: BenchDatabase, above: number, to: number): Promise<number> {
  const args = flags({ database: database.directory, above, to });
  const { messagesPerSecond } = await runJson<{ readonly messagesPerSecond: number }>([
    "test/bench/catchup/reference.ts",
    ...args,
  ]);
  return messagesPerSecond;
}
