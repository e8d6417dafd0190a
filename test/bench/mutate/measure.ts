/** What Mutates take, for questions. */

import type { LiveProbeResult } from "../storm/live-probe";
import type { Metered } from "../support/meter";
import { flags, runJson, type Target } from "../support/processes";

export interface MutateSize {
  readonly streams: number;
  /** Mutates of one topic a second, all streams together. */
  readonly rate: number;
  readonly seconds: number;
  /** Topics of the big one. */
  readonly adds: number;
}

/** Many Mutates of one topic each. */
export interface Paced extends Metered {
  readonly mutates: number;
  /** From sending to the ack, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** One Mutate of many topics. */
export interface BigMutate extends Metered {
  readonly ackMs: number;
  /** What others noticed of it. */
  readonly live: LiveProbeResult;
}

export interface Mutates {
  /** Topics of which the node has not heard since it started. */
  readonly paced: Paced;
  /** The same topics again, on other streams. */
  readonly known: Paced;
  readonly big: BigMutate;
  readonly bigKnown: BigMutate;
}

/** `filled`: messages of the store, one per topic, at least as many as topics are added; 0: a store of which nothing is known. */
export function mutate(target: Target, size: MutateSize, filled: number): Promise<Mutates> {
  const { address, pid = "" } = target;
  return runJson<Mutates>(["test/bench/mutate/load.ts", ...flags({ address, pid, filled, ...size })]);
}
