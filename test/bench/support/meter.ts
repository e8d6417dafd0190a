/** What a load client says of the time it measured, besides its own counts. */

import { cpuSeconds } from "../../support/serve-process";

export interface Metered {
  readonly ms: number;
  /** CPU time of this process, of one core: near 1, this process was the limit and not the server. */
  readonly clientCpuShare: number;
  /** CPU time of the server, in seconds; absent when it is not ours to look at. */
  readonly serverCpuSeconds?: number;
}

/** Starts to measure; the function that it returns ends that. `pids`: of the servers under load. */
export function startMeter(pids: readonly number[]): () => Metered {
  const sum = () => pids.reduce((seconds, pid) => seconds + cpuSeconds(pid), 0);
  const before = { at: performance.now(), cpu: process.cpuUsage(), server: sum() };
  return () => {
    const ms = performance.now() - before.at;
    const cpu = process.cpuUsage(before.cpu);
    const clientCpuShare = (cpu.user + cpu.system) / 1_000 / ms;
    return { ms, clientCpuShare, ...(pids.length === 0 ? {} : { serverCpuSeconds: sum() - before.server }) };
  };
}

/** The flag `--pid=N`, or `--pid=N,M`, of a load client. */
export function readPids(text: string): readonly number[] {
  return text === "" ? [] : text.split(",").map(Number);
}
