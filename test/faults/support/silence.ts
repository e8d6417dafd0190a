import { waitedForCoreMs } from "./handles";
import type { FaultNode } from "./node";
import type { Subscriber } from "./subscriber";

/**
 * The longest time in which nothing reached one of the streams while `work` was done, in milliseconds: the part of it
 * in which node and reader had a core to run on. On a machine that others use, the rest says nothing of the node.
 */
export async function longestSilence(
  node: FaultNode,
  streams: readonly Subscriber[],
  work: () => Promise<void>,
): Promise<number> {
  const pids = [node.pid, process.pid];
  const before = pids.map(waitedForCoreMs);
  const fromMs = performance.now();
  await work();
  const span = { fromMs, toMs: performance.now() };
  const spanMs = span.toMs - span.fromMs;
  const shares = pids.map((pid, at) => 1 - (waitedForCoreMs(pid) - (before[at] ?? 0)) / spanMs);
  const longestMs = Math.max(...streams.map(({ reading }) => reading.arrivals.longestSilence(span)));
  return Math.round(longestMs * Math.max(0, Math.min(...shares)));
}
