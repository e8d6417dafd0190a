/** One cell of the publish matrix, measured on one database. */

import type { Calls } from "../support/callers";
import type { BenchDatabase } from "../support/database";
import { flags, runJson, type Target } from "../support/processes";
import type { CallTiming } from "../support/question";

export interface PublishCell {
  readonly way: "in process" | "gRPC";
  /** Nodes (in process: processes) that share the database; the callers are spread over them. */
  readonly nodes: number;
  /** Of each node (`TIDELINE_PROCESSES`): 1 unless told. */
  readonly processes?: number;
  readonly callers: number;
  /** Of a message; one a call. */
  readonly bytes: number;
}

/** What is measured against: nodes, and their database where it is ours. */
export interface PublishTargets {
  readonly nodes: readonly Target[];
  readonly database: BenchDatabase | undefined;
}

/** Calls through the RPC of running nodes. */
export function measureByCalls(
  { nodes, database }: PublishTargets,
  cell: PublishCell,
  timing: CallTiming,
): Promise<Calls> {
  const { callers, bytes } = cell;
  const address = nodes.map((node) => node.address).join(",");
  const pid = nodes.flatMap((node) => node.pid ?? []).join(",");
  const postmaster = database?.pid ?? "";
  return runJson<Calls>([
    "test/bench/publish/load.ts",
    ...flags({ address, pid, postmaster, callers, bytes, ...timing }),
  ]);
}

/** Calls of several processes, each with a store and a feed of its own. */
export async function measureInProcess(database: BenchDatabase, cell: PublishCell, timing: CallTiming): Promise<Calls> {
  const { callers, bytes, nodes } = cell;
  const share = {
    databaseUrl: database.url,
    postmaster: database.pid,
    callers: Math.ceil(callers / nodes),
    bytes,
    ...timing,
  };
  const script = ["test/bench/publish/in-process.ts", ...flags(share)];
  return together(await Promise.all(Array.from({ length: nodes }, () => runJson<Calls>(script))));
}

/** Rows per second of the bare INSERT. */
export async function measureInsert(databaseUrl: string, cell: PublishCell, seconds: number): Promise<number> {
  const { callers, bytes } = cell;
  const script = ["test/bench/publish/reference.ts", ...flags({ databaseUrl, callers, bytes, seconds })];
  return (await runJson<{ readonly perSecond: number }>(script)).perSecond;
}

/** Rates and counts add up; of the times the worst process counts. The database is the same, seen by each. */
function together(parts: readonly Calls[]): Calls {
  const sum = (of: (calls: Calls) => number) => parts.reduce((total, calls) => total + of(calls), 0);
  const worst = (of: (calls: Calls) => number) => Math.max(...parts.map(of));
  return {
    perSecond: sum((calls) => calls.perSecond),
    p50: worst((calls) => calls.p50),
    p99: worst((calls) => calls.p99),
    count: sum((calls) => calls.count),
    ms: worst((calls) => calls.ms),
    clientCpuShare: worst((calls) => calls.clientCpuShare),
    serverCpuSeconds: sum((calls) => calls.serverCpuSeconds ?? Number.NaN),
    databaseCpuSeconds: worst((calls) => calls.databaseCpuSeconds ?? Number.NaN),
  };
}
