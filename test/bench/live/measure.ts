/** One cell of the live matrix, measured against one server. */

import { flags, runJson, type Target, targetFlags } from "../support/processes";

export interface LiveCell {
  readonly streams: number;
  readonly perConnection: number;
  /** Of a message. */
  readonly bytes: number;
  /** Publishes per second that are offered. */
  readonly rate: number;
}

/** What the load client found. */
export interface LiveLoad {
  readonly deliveriesPerSecond: number;
  readonly publishesPerSecond: number;
  readonly clientCpuShare: number;
  /** Absent when the server is not ours to look at. */
  readonly serverCpuSeconds?: number;
  /** While it was measured. */
  readonly measuredDeliveries: number;
  readonly measuredPublishes: number;
}

export function measureLive(target: Target, cell: LiveCell, seconds: number): Promise<LiveLoad> {
  return runJson<LiveLoad>(["test/bench/live/load.ts", ...flags({ ...cell, ...targetFlags(target), seconds })]);
}

/** Deliveries per second of CPU time of the server; NaN when it is not ours to look at. */
export function deliveriesPerCore({ measuredDeliveries, serverCpuSeconds = Number.NaN }: LiveLoad): number {
  return measuredDeliveries / serverCpuSeconds;
}
