/**
 * Watches the memory of a node under a steady live load, first with readers that read alone, then with many that
 * have stalled beside them. The node must have been started with the door to its heap.
 */

import { parseArgs } from "node:util";
import { startLiveProbe } from "../storm/live-probe";
import { rssBytes, settledRssBytes } from "./costs";
import { collectedHeapOf } from "./heap";
import type { Held, UnderLoad } from "./measure";
import { Traffic } from "./stalled-traffic";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    settleMs: { type: "string", default: "1000" },
    stalled: { type: "string", default: "1000" },
    perConnection: { type: "string", default: "10" },
    rate: { type: "string", default: "2000" },
    bytes: { type: "string", default: "1024" },
    fillBytes: { type: "string", default: "8388608" },
    seconds: { type: "string", default: "2" },
  },
});
const pid = Number(values.pid);
const settleMs = Number(values.settleMs);
const fillBytes = Number(values.fillBytes);
const SAMPLE_MS = 100;

const traffic = await Traffic.open({
  address: values.address,
  stalled: Number(values.stalled),
  perConnection: Number(values.perConnection),
  rate: Number(values.rate),
  bytes: Number(values.bytes),
});
await traffic.fill(fillBytes);
const alone = await underLoad();
const stalled = await traffic.stall(settleMs);
const beside = await underLoad();
console.log(JSON.stringify({ alone, beside, stalled }));
process.exit(0);

async function underLoad(): Promise<UnderLoad> {
  const probe = await startLiveProbe(values.address, settleMs);
  const before = await held();
  const filling = await peakDuring(() => traffic.fill(fillBytes));
  const stalled = await held();
  await probe.begin();
  const peakBytes = await peakDuring(() => traffic.publishFor(Number(values.seconds) * 1_000));
  const live = await probe.end();
  return { before, stalled, end: await held(), peakBytes: Math.max(filling, peakBytes), liveP99Ms: live.p99 };
}

/** The most memory that the node had meanwhile. */
async function peakDuring(load: () => Promise<void>): Promise<number> {
  let peakBytes = 0;
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, rssBytes(pid));
  }, SAMPLE_MS);
  await load();
  clearInterval(sampling);
  return peakBytes;
}

/** What is held while nothing is published to the readers, and garbage is gone. */
async function held(): Promise<Held> {
  const { heapBytes } = await collectedHeapOf(pid);
  return { heapBytes, rssBytes: await settledRssBytes(pid, settleMs) };
}
