/** What a server's memory grows by, for questions. The server must have been started here. */

import { flags, runJson, type Target } from "../support/processes";

/** What some things took together. */
export interface Growth {
  readonly bytes: number;
  readonly count: number;
}

/** Memory of a node that does nothing, after a collection. */
export interface Held {
  /** By the account of the heap. */
  readonly heapBytes: number;
  /** What the system has given the process. */
  readonly rssBytes: number;
}

/** Memory for a while of live load: a burst, after which whoever stalls has stalled, and a steady rate after that. */
export interface UnderLoad {
  readonly before: Held;
  /** After the burst. */
  readonly stalled: Held;
  readonly end: Held;
  /** The most that the system had given meanwhile, garbage included. */
  readonly peakBytes: number;
  /** How readers that read fared at the steady rate. */
  readonly liveP99Ms: number;
}

export interface Stalled {
  /** Number of the readers that stalled. */
  readonly stalled: number;
  readonly alone: UnderLoad;
  /** The same load beside the stalled readers. */
  readonly beside: UnderLoad;
}

/** Of every measurement: a runtime gives memory back late, and code is compiled at first. */
export interface Settling {
  /** How long memory may take to come to rest, and the code to be compiled, in milliseconds. */
  readonly settleMs: number;
}

/** Holds idle streams of one topic each. Any server that acks a Mutate will do. */
export function holdIdle(
  server: Target,
  size: { readonly streams: number; readonly connections: number } & Settling,
): Promise<Growth> {
  return runJson<Growth>(["test/bench/memory/idle-load.ts", ...flags({ ...whereIs(server), ...size })]);
}

/** Adds topics to one stream of a node that has no messages. */
export function addTopics(node: Target, size: { readonly topics: number } & Settling): Promise<Growth> {
  return runJson<Growth>(["test/bench/memory/topics-load.ts", ...flags({ ...whereIs(node), ...size })]);
}

/**
 * Publishes `fillBytes` at once and then for some seconds, and both again beside readers that stall; fails if one of
 * the others misses anything. The node must have been started with the door to its heap, and its tail is to be full by
 * `fillBytes`.
 */
export function stall(
  node: Target,
  size: { readonly stalled: number; readonly seconds: number; readonly fillBytes: number } & Settling,
): Promise<Stalled> {
  return runJson<Stalled>(["test/bench/memory/stalled-load.ts", ...flags({ ...whereIs(node), ...size })]);
}

function whereIs({ address, pid }: Target): { readonly address: string; readonly pid: number } {
  if (pid === undefined) throw new Error("the memory of a server that was not started here cannot be seen");
  return { address, pid };
}
