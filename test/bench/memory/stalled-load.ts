/**
 * Publishes to one topic at a steady rate, first with readers that read alone, then with many that have stalled
 * beside them, and watches the node's memory. Those that read must get every message once, throughout.
 */

import { parseArgs } from "node:util";
import { type LiveProbeResult, startLiveProbe } from "../storm/live-probe";
import { mlsMessage, sendRequest } from "../support/protobuf";
import { RawConnection } from "../support/raw-h2";
import { Progress, subscribe } from "../support/streams";
import { rssBytes, settledRssBytes } from "./costs";
import type { UnderLoad } from "./measure";
import { type Stall, StalledConnection } from "./stalled-reader";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    settleMs: { type: "string", default: "1000" },
    stalled: { type: "string", default: "1000" },
    perConnection: { type: "string", default: "10" },
    rate: { type: "string", default: "2000" },
    bytes: { type: "string", default: "1024" },
    seconds: { type: "string", default: "4" },
  },
});
const pid = Number(values.pid);
const rate = Number(values.rate);
const settleMs = Number(values.settleMs);
const durationMs = Number(values.seconds) * 1_000;
const READERS = 10;
const SAMPLE_MS = 100;

const topic = crypto.getRandomValues(new Uint8Array(16));
const progress = new Progress();
const publisher = await RawConnection.open(values.address);
let complete = 0;
let delivered = 0;
let published = 0;
let sequence = 0n;
for (let nth = 0; nth < READERS; nth++) {
  subscribe(await RawConnection.open(values.address), {
    topics: [topic],
    onCount: (messages) => {
      delivered += messages;
      progress.made();
    },
    onComplete: () => {
      complete++;
      progress.made();
    },
  });
}
await progress.until(() => complete === READERS, "the readers' waves to complete");

await publishFor(durationMs); // what the node needs once: code, and a tail
const alone = await underLoad();
const half = Math.ceil(Number(values.stalled) / Number(values.perConnection) / 2);
const stalled = await Promise.all([...openStalled("window", half), ...openStalled("socket", half)]);
await Bun.sleep(settleMs); // their subscriptions are made
for (const connection of stalled) connection.stall();
const beside = await underLoad();
console.log(JSON.stringify({ alone, beside, stalled: 2 * half * Number(values.perConnection) }));
process.exit(0);

function openStalled(stall: Stall, connections: number): readonly Promise<StalledConnection>[] {
  const streams = Number(values.perConnection);
  return Array.from({ length: connections }, () => StalledConnection.open(values.address, stall, streams, topic));
}

/** Publishes for a while; the node's memory is measured before, during and after. */
async function underLoad(): Promise<UnderLoad> {
  const probe = await startLiveProbe(values.address, settleMs);
  const beforeBytes = await settledRssBytes(pid, settleMs);
  const samples: number[] = [];
  const sampling = setInterval(() => samples.push(rssBytes(pid)), SAMPLE_MS);
  await publishFor(durationMs);
  clearInterval(sampling);
  await progress.until(() => delivered >= published * READERS, "the last deliveries");
  const live: LiveProbeResult = await probe.end();
  if (delivered !== published * READERS)
    throw new Error(`published ${published} to ${READERS}, delivered ${delivered}`);
  const second = samples.slice(samples.length >> 1);
  return {
    beforeBytes,
    peakBytes: Math.max(...samples),
    /** How much the second half of the time added at most to what the first had reached. */
    stillGrowingBytes: Math.max(...second) - Math.max(...samples.slice(0, samples.length >> 1)),
    afterBytes: await settledRssBytes(pid, settleMs),
    live,
  };
}

/** Ten milliseconds' worth of messages in one request; no request before the one before has been answered. */
async function publishFor(ms: number): Promise<void> {
  const started = performance.now();
  const first = published;
  for (let elapsedMs = 0; elapsedMs < ms; elapsedMs = performance.now() - started) {
    const due = Math.floor((elapsedMs / 1_000) * rate) - (published - first);
    if (due >= rate / 100) await publish(Math.min(due, rate / 10));
    else await Bun.sleep(1);
  }
}

async function publish(count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => {
    const head = Buffer.alloc(8);
    head.writeBigUInt64BE(++sequence);
    return mlsMessage(topic, head, Number(values.bytes));
  });
  published += count;
  await publisher.call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest(messages));
}
