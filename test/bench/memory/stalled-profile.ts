/**
 * What becomes of a node's memory over time, first under a live load alone, then beside 1 000 stalled readers:
 *
 *   bun test/bench/memory/stalled-profile.ts [SECONDS] [--collected] [--rate N] [--tail-bytes N]
 *
 * by default 60 seconds of each and the tail that nodes have. Garbage is in it unless it is collected before each look.
 */

import { parseArgs } from "node:util";
import { DEFAULT_FEED_OPTIONS } from "../../../src/feed/options";
import { startNode } from "../support/processes";
import { rssBytes } from "./costs";
import { collectedHeapOf, HEAP_DOOR, heapOf } from "./heap";
import { Traffic } from "./stalled-traffic";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    collected: { type: "boolean", default: false },
    rate: { type: "string", default: "2000" },
    "tail-bytes": { type: "string", default: `${DEFAULT_FEED_OPTIONS.tailBytes}` },
  },
});
const durationMs = Number(positionals[0] ?? 60) * 1_000;
const tailBytes = Number(values["tail-bytes"]);
const SAMPLE_MS = 1_000;
const MIB = 1 << 20;
/** So long that nobody is sent away while it lasts. */
const STALL_MS = 3_600_000;

await using node = await startNode({
  preload: HEAP_DOOR,
  env: { TIDELINE_TAIL_BYTES: `${tailBytes}`, TIDELINE_STALL_MS: `${STALL_MS}` },
});
const { pid, admin, address } = node;
if (pid === undefined || admin === undefined) throw new Error("the node was not started here");
const nodePid = pid;
const load = { stalled: 1_000, perConnection: 10, rate: Number(values.rate), bytes: 1_024 };
using traffic = await Traffic.open({ address, ...load });
const startedAt = performance.now();

console.log("seconds  resident MiB  heap MiB  buffers of it  tail MiB  offsets due  ");
await during("the tail fills", traffic.fill(tailBytes));
await during("alone", traffic.publishFor(durationMs));
const stalled = await traffic.stall(SAMPLE_MS);
await during(`beside ${stalled}`, traffic.publishFor(durationMs));

/** Looks at the memory until the load is over. */
async function during(phase: string, load: Promise<void>): Promise<void> {
  let isOver = false;
  const over = load.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await look(phase);
    await Bun.sleep(SAMPLE_MS);
  }
  await over;
}

async function look(phase: string): Promise<void> {
  const { heapBytes, bufferBytes } = values.collected ? await collectedHeapOf(nodePid) : await heapOf(nodePid);
  const metrics = await (await fetch(`http://${admin}/metrics`)).text();
  const metric = (name: string) => Number(new RegExp(`^tideline_${name} (\\S+)$`, "m").exec(metrics)?.[1]);
  const cells: readonly (readonly [value: number, width: number])[] = [
    [(performance.now() - startedAt) / 1_000, 7],
    [rssBytes(nodePid) / MIB, 14],
    [heapBytes / MIB, 10],
    [bufferBytes / MIB, 15],
    [metric("tail_bytes") / MIB, 10],
    [metric("offers_waiting"), 13],
  ];
  console.log(`${cells.map(([value, width]) => value.toFixed(0).padStart(width)).join("")}  ${phase}`);
}
