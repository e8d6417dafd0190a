/** What a load client says of the time it measured, besides its own counts. */

import { readdirSync, readFileSync } from "node:fs";
import { cpuSeconds } from "../../support/serve-process";

export interface Metered {
  readonly ms: number;
  /** CPU time of this process, of one core: near 1, this process was the limit and not the server. */
  readonly clientCpuShare: number;
  /** CPU time of the server with all its processes, in seconds; absent when it is not ours to look at. */
  readonly serverCpuSeconds?: number;
  /** CPU time of the whole database, in seconds; absent when it is not ours to look at. */
  readonly databaseCpuSeconds?: number;
}

/** Whose CPU time is measured. */
export interface MeterTargets {
  /** The servers under load. */
  readonly pids: readonly number[];
  /** The postmaster of their database. */
  readonly postmaster?: number;
}

/** Starts to measure; the function that it returns ends that. */
export function startMeter({ pids, postmaster }: MeterTargets): () => Metered {
  const server = () => pids.reduce((seconds, pid) => seconds + familyCpuSeconds(pid), 0);
  const database = () => (postmaster === undefined ? 0 : familyCpuSeconds(postmaster));
  const before = { server: server(), database: database(), at: performance.now(), cpu: process.cpuUsage() };
  return () => {
    const ms = performance.now() - before.at;
    const cpu = process.cpuUsage(before.cpu);
    return {
      ms,
      clientCpuShare: (cpu.user + cpu.system) / 1_000 / ms,
      ...(pids.length === 0 ? {} : { serverCpuSeconds: server() - before.server }),
      ...(postmaster === undefined ? {} : { databaseCpuSeconds: database() - before.database }),
    };
  };
}

/** The flag `--pid=N`, or `--pid=N,M`, of a load client; empty: none. */
export function readPids(text: string): MeterTargets {
  return { pids: text === "" ? [] : text.split(",").map(Number) };
}

/** The flags `--pid` and `--postmaster` of a load client. */
export function meterTargets(values: { readonly pid?: string; readonly postmaster?: string }): MeterTargets {
  const { pid = "", postmaster = "" } = values;
  return postmaster === "" ? readPids(pid) : { ...readPids(pid), postmaster: Number(postmaster) };
}

/**
 * CPU time of a process and its living children so far, in seconds: a postmaster's is that of the whole database, a
 * node's that of all its processes. (A database that a node brought along is nobody's child but its supervisor's.)
 */
export function familyCpuSeconds(pid: number): number {
  let seconds = cpuSeconds(pid);
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = readFileSync(`/proc/${name}/stat`, "utf8")
        .replace(/^.*\) /, "")
        .split(" ")[1];
      if (Number(parent) === pid) seconds += cpuSeconds(Number(name));
    } catch {
      // It has ended meanwhile.
    }
  }
  return seconds;
}
