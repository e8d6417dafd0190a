/** Callers that do one thing after the other, as many at once as there are, and the account of it. */

import { type Metered, type MeterTargets, startMeter } from "./meter";
import { quantile } from "./question";

/** What they did while it was measured; times in milliseconds. */
export interface Calls extends Metered {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

export interface CallersOptions {
  readonly callers: number;
  /** Calls that go before what is measured: a server that has just started is still being compiled. */
  readonly warmupCalls: number;
  /** Measured time after them, in milliseconds. */
  readonly measureMs: number;
  readonly meter: MeterTargets;
}

/** Runs callers for a while, each in a closed loop; rejects with the first failure. */
export async function runCallers(
  { callers, warmupCalls, measureMs, meter }: CallersOptions,
  call: (caller: number) => Promise<unknown>,
): Promise<Calls> {
  const timesMs: number[] = [];
  let done = 0;
  let beganAt = 0;
  let stop: (() => Metered) | undefined;
  let metered: Metered | undefined;
  const loop = async (caller: number) => {
    while (metered === undefined) {
      const from = performance.now();
      if (stop === undefined && done >= warmupCalls) {
        beganAt = from;
        stop = startMeter(meter);
      }
      await call(caller);
      done++;
      if (stop === undefined || metered !== undefined) continue;
      const to = performance.now();
      timesMs.push(to - from);
      if (to >= beganAt + measureMs) metered = stop();
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => loop(caller)));
  const { ms, ...cpu } = metered ?? startMeter(meter)();
  const count = timesMs.length;
  return {
    ...cpu,
    ms,
    count,
    perSecond: (count / ms) * 1_000,
    p50: quantile(timesMs, 0.5),
    p99: quantile(timesMs, 0.99),
  };
}

/** CPU time of the servers for one call, in microseconds; NaN when they are not ours to look at. */
export function serverUsPerCall({ serverCpuSeconds = Number.NaN, count }: Calls): number {
  return (serverCpuSeconds * 1e6) / count;
}

/** How many cores were busy with it all: servers, database and, where it is another process, the load client. */
export function busyCores(calls: Calls, load: "apart" | "inside"): number {
  const { serverCpuSeconds = Number.NaN, databaseCpuSeconds = Number.NaN, clientCpuShare, ms } = calls;
  return ((serverCpuSeconds + databaseCpuSeconds) * 1_000) / ms + (load === "apart" ? clientCpuShare : 0);
}

/** The same of their database. */
export function databaseUsPerCall({ databaseCpuSeconds = Number.NaN, count }: Calls): number {
  return (databaseCpuSeconds * 1e6) / count;
}
