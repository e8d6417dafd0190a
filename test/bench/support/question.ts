/** What a benchmark is: a question, the figures that answer it, and the reference measured beside them. */

export interface RunOptions {
  /** host:port of a running node; absent: one is started. */
  readonly address: string | undefined;
  /** How often the whole is measured; the medians are reported. */
  readonly runs: number;
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
