import { waitedForCoreMs } from "./handles";
import type { FaultNode } from "./node";
import type { Subscriber } from "./subscriber";

/**
 * The longest time in which nothing reached one of the streams while `work` was done, in milliseconds, without what
 * node and reader had to wait for a core: on a machine that others use, that says nothing of the node.
 */
export async function longestSilence(
  node: FaultNode,
  streams: readonly Subscriber[],
  work: () => Promise<void>,
): Promise<number> {
  const waited = () => waitedForCoreMs(node.pid) + waitedForCoreMs(process.pid);
  const waitedBefore = waited();
  const fromMs = performance.now();
  await work();
  const span = { fromMs, toMs: performance.now() };
  const waitedMs = waited() - waitedBefore;
  const longestMs = Math.max(...streams.map(({ reading }) => reading.arrivals.longestSilence(span)));
  return Math.max(0, Math.round(longestMs - waitedMs));
}
