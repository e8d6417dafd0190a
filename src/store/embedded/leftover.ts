/** What a node that died may have left behind: a server that still runs, and files that name processes. */

import { createHash } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import { StoreError } from "../error";
import { readIfAny, sendSignal } from "./server";

/** Ever harder means to end a server, and how long each may take, in milliseconds. Nothing acked is lost by any. */
const MEANS: readonly { readonly signal: NodeJS.Signals | undefined; readonly ms: number }[] = [
  // Its supervisor has told it already.
  { signal: undefined, ms: 500 },
  { signal: "SIGINT", ms: 10_000 },
  { signal: "SIGQUIT", ms: 5_000 },
  { signal: "SIGKILL", ms: 5_000 },
];
const POLL_MS = 10;

/** The processes of one server that are alive. */
interface ServerProcesses {
  /** The postmaster tells its children what it is told; without one, they are on their own. */
  readonly postmaster: number | undefined;
  readonly all: readonly number[];
}

/**
 * A name that the processes of this cluster's server carry in their titles (`cluster_name`), so that they are
 * known from a pid that was given anew. A title can be read where a working directory cannot: by root in a
 * container, of another user's process.
 * @param cluster its real path.
 */
export function clusterName(cluster: string): string {
  return `tideline-${createHash("sha256").update(cluster).digest("hex").slice(0, 16)}`;
}

/**
 * Waits until no process of an earlier server is left on this cluster, and ends those that do not go by
 * themselves. To be called by the holder of the directory's lock: nobody else can be using such a server.
 * @param cluster its real path.
 * @throws StoreError `refused` when one cannot be ended.
 */
export async function clearLeftover(
  cluster: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<void> {
  for (const { signal, ms } of MEANS) {
    const { postmaster, all } = findProcesses(cluster);
    if (all.length === 0) break;
    // Fast shutdown is the postmaster's work; its orphans would take it for something else.
    if (signal === "SIGINT" && postmaster === undefined) continue;
    if (signal !== undefined) {
      log.warn("ending the server of an earlier node", { pids: all.join(" "), signal });
      const told = postmaster === undefined || signal === "SIGKILL" ? all : [postmaster];
      for (const pid of told) sendSignal(pid, signal);
    }
    const until = clock.now() + ms;
    while (findProcesses(cluster).all.length > 0 && clock.now() < until) await clock.sleep(POLL_MS);
  }
  const left = findProcesses(cluster).all;
  if (left.length > 0) {
    throw new StoreError("refused", `an earlier Postgres on ${cluster} does not end: process ${left.join(", ")}`);
  }
  // Its pid may by now be that of a process that has nothing to do with it, and that would keep Postgres from
  // starting. That no server is left is known better by now.
  rmSync(join(cluster, "postmaster.pid"), { force: true });
}

function findProcesses(cluster: string): ServerProcesses {
  const { uid } = statSync(cluster);
  const title = `postgres: ${clusterName(cluster)}:`;
  // The program itself, not the supervising shell, which has the same words further back.
  const commandLine = new RegExp(`^[^\\0]*/bin/postgres\\0-D\\0${RegExp.escape(cluster)}\\0`);
  const all: number[] = [];
  let postmaster: number | undefined;
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const line = readIfAny(`/proc/${name}/cmdline`);
    const isPostmaster = commandLine.test(line);
    if (!(isPostmaster || line.startsWith(title)) || ownerOf(name) !== uid) continue;
    if (isPostmaster) postmaster ??= Number(name);
    all.push(Number(name));
  }
  return { postmaster, all };
}

function ownerOf(pid: string): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}
