/** Latency under one load, measured against one server. */

import { flags, runJson, type Target, targetFlags } from "../support/processes";

/** What the load client found; times in milliseconds. */
export interface LatencyLoad {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
  readonly clientCpuShare: number;
  /** Absent when the server is not ours to look at. */
  readonly serverCpuSeconds?: number;
  /** While it was measured. */
  readonly measuredPublishes: number;
  readonly waveMessagesPerSecond?: number;
}

export interface LatencyShape {
  readonly streams: number;
  readonly perConnection: number;
  /** Publishes per second, one a call. */
  readonly rate: number;
  /** Messages published before anything is measured. */
  readonly warmUp: number;
  /** A group's id in hex: its history is read on the first connection meanwhile. */
  readonly wave?: string;
}

export function measureLatency(target: Target, shape: LatencyShape, seconds: number): Promise<LatencyLoad> {
  return runJson<LatencyLoad>(["test/bench/latency/load.ts", ...flags({ ...shape, ...targetFlags(target), seconds })]);
}

/** CPU time of the server for one message, in microseconds; NaN when it is not ours to look at. */
export function serverUsPerPublish({ serverCpuSeconds = Number.NaN, measuredPublishes }: LatencyLoad): number {
  return (serverCpuSeconds * 1e6) / measuredPublishes;
}
