/** Queries as an SDK makes them, measured against one node. */

import type { Calls } from "../support/callers";
import type { BenchDatabase } from "../support/database";
import { flags, runJson, type Target, targetFlags } from "../support/processes";
import type { CallTiming } from "../support/question";

/** What the load client found; a call is a query, with the send before it if there is one. Times in milliseconds. */
export interface QueryLoad extends Calls {
  /** Of the query alone. */
  readonly queryP50: number;
  readonly queryP99: number;
}

export interface QueryShape {
  readonly callers: number;
  /** Whether each query comes after a send. */
  readonly sends: boolean;
}

export interface QueryTargets {
  readonly node: Target;
  readonly database: BenchDatabase | undefined;
}

export function measureQuery(
  { node, database }: QueryTargets,
  shape: QueryShape,
  timing: CallTiming,
): Promise<QueryLoad> {
  const { callers, sends } = shape;
  const postmaster = database?.pid ?? "";
  const shapeFlags = { callers, sends: sends ? 1 : 0, postmaster, ...timing };
  return runJson<QueryLoad>(["test/bench/query/load.ts", ...flags({ ...targetFlags(node), ...shapeFlags })]);
}

/** The bare SELECT of one row; the database must hold at least one message. */
export function measureSelect({ url, pid }: BenchDatabase, callers: number, timing: CallTiming): Promise<Calls> {
  return runJson<Calls>([
    "test/bench/query/reference.ts",
    ...flags({ databaseUrl: url, postmaster: pid, callers, ...timing }),
  ]);
}
