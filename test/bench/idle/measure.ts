/** What idle streams take of a server's CPU, for questions. */

import type { Metered } from "../support/meter";
import { flags, runJson, type Target } from "../support/processes";

export interface IdleSize {
  readonly streams: number;
  readonly connections: number;
  /** That of the server: how often it pings. */
  readonly keepaliveMs: number;
  readonly seconds: number;
}

export interface Idle extends Metered {
  /** Sent by the server, and answered, in the time that was measured. */
  readonly pings: number;
}

/** Holds idle streams for a while; fails if one of them is not pinged as it should be. */
export function holdStill(server: Target, size: IdleSize): Promise<Idle> {
  const { address, pid = "" } = server;
  return runJson<Idle>(["test/bench/idle/load.ts", ...flags({ address, pid, ...size })]);
}

/** Share of a core. */
export function share({ serverCpuSeconds = Number.NaN, ms }: Idle): number {
  return (serverCpuSeconds * 1_000) / ms;
}
