import type { Metered } from "../support/meter";
import { flags, runJson, type Target, targetFlags } from "../support/processes";

/** One stream that has caught up on many topics. */
export interface StreamLoad extends Metered {
  readonly messages: number;
  /** What the server's memory grew by; NaN (null) when it is not ours to look at. */
  readonly rssBytes: number;
}

/** @param first number of the first topic, `prefilledGroup(first)` */
export function loadStream(target: Target, first: number, topics: number): Promise<StreamLoad> {
  return runJson<StreamLoad>(["test/bench/growth/load.ts", ...flags({ ...targetFlags(target), first, topics })]);
}
