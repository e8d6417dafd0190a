/** What a benchmark is: a question, the figures that answer it, and the reference measured beside them. */

/** `tiny`: only to see that it works, below a second a load. `full`: also the cells that the default leaves out. */
export type Effort = "tiny" | "normal" | "full";

export interface RunOptions {
  /** host:port of a running node, several joined by commas; absent: one is started. */
  readonly address: string | undefined;
  /** How often the whole is measured; the medians are reported. */
  readonly runs: number;
  readonly effort: Effort;
}

/** One row of an answer. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** One value a run. */
  readonly values: readonly number[];
  /** The physical reference, measured in the same runs, one value each. */
  readonly reference?: { readonly name: string; readonly values: readonly number[] };
  /** What anchors the figure: the number to reach, in words. */
  readonly reach?: string;
  /** Which way is better, for comparisons; absent: neither, it says under what circumstances the others came about. */
  readonly better?: "more" | "less";
}

export interface Question {
  readonly name: string;
  readonly asks: string;
  run(options: RunOptions): Promise<readonly Figure[]>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The value below which a share (0 to 1) of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Seconds that a load measures, after its warm-up. */
export function measureSeconds(effort: Effort, normal: number): number {
  return effort === "tiny" ? 0.2 : normal;
}

/** How calls are timed: so many to warm up, then so many seconds. */
export interface CallTiming {
  readonly warmupCalls: number;
  readonly seconds: number;
}

/** Calls after which a node that has just started costs what it will cost from then on. */
const WARMUP_CALLS = 20_000;

export function callTiming(effort: Effort, seconds: number): CallTiming {
  return { warmupCalls: effort === "tiny" ? 100 : WARMUP_CALLS, seconds: measureSeconds(effort, seconds) };
}

/** Measures one time after the other, `runs` times. */
export async function repeat<T>(runs: number, measure: (run: number) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  for (let run = 0; run < runs; run++) results.push(await measure(run));
  return results;
}
