/**
 * Publishes one message per call at a fixed rate, spread over the topics of many streams, and measures for each
 * how long it took from before the call until it came out of its stream. Publisher and readers are one process,
 * so one clock measures both ends. Open loop: a late message does not slow the next one down.
 *
 * With --wave=GROUP (hex) another stream on the first connection reads the whole history of that group
 * meanwhile: then only the streams of that connection count, and what was published from the beginning of the wave to its end.
 *
 * Before that, --warmUp messages are published at a pace that is high: until then both ends are being compiled.
 */

import { parseArgs } from "node:util";
import { meterTargets, startMeter } from "../support/meter";
import { mlsMessage, readField, sendRequest } from "../support/protobuf";
import { quantile } from "../support/question";
import { RawConnection } from "../support/raw-h2";
import { Progress, subscribe } from "../support/streams";
import type { LatencyLoad } from "./measure";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    streams: { type: "string", default: "100" },
    perConnection: { type: "string", default: "10" },
    rate: { type: "string", default: "1000" },
    bytes: { type: "string", default: "256" },
    seconds: { type: "string", default: "4" },
    warmUp: { type: "string", default: "5000" },
    wave: { type: "string", default: "" },
  },
});
const rate = Number(values.rate);
const measureMs = Number(values.seconds) * 1_000;
const WARM_UP_RATE = 4_000;
/** Between the warm-up and the measurement, at the rate that is measured. */
const settleMs = Math.min(500, measureMs);
/** Of a message made by `mlsMessage`: all but its header, a group id of 16 bytes and the lengths. */
const ciphertextBytes = Number(values.bytes) - 34;

const streams = Number(values.streams);
const connections = await Promise.all(
  Array.from({ length: Math.ceil(streams / Number(values.perConnection)) }, () => RawConnection.open(values.address)),
);
const publisher = await RawConnection.open(values.address);
const topics = Array.from({ length: streams }, () => crypto.getRandomValues(new Uint8Array(16)));

const progress = new Progress();
const latenciesMs: number[] = [];
/** What was published from then on and until then counts, whenever it arrives. */
const counted = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };
let delivered = 0;
let complete = 0;
for (const [index, topic] of topics.entries()) {
  const connection = index % connections.length;
  const counts = values.wave === "" || connection === 0;
  subscribe(connections[connection] ?? publisher, {
    topics: [topic],
    onEntry: (entry) => arrived(entry, counts),
    onComplete: () => {
      complete++;
      progress.made();
    },
  });
}
await progress.until(() => complete === streams, "all waves to complete");

let published = 0;
let failed = 0;
const warmUp = Number(values.warmUp);
await drive(Math.max(rate, WARM_UP_RATE), () => published >= warmUp);
await arrive();
await drive(rate, (ms) => ms >= settleMs);
counted.from = performance.now();
const before = published;
const wave = { messages: 0, complete: values.wave === "" };
if (!wave.complete) startWave();
const stop = startMeter(meterTargets(values));
await drive(rate, (ms) => wave.complete && (values.wave !== "" || ms >= measureMs));
const { ms, ...cpu } = stop();
const measuredPublishes = published - before;
await arrive();
if (failed > 0 || delivered !== published) {
  throw new Error(`published ${published}, refused ${failed}, delivered ${delivered}`);
}
const load: LatencyLoad = {
  ...cpu,
  p50: quantile(latenciesMs, 0.5),
  p99: quantile(latenciesMs, 0.99),
  max: quantile(latenciesMs, 1),
  samples: latenciesMs.length,
  measuredPublishes,
  ...(values.wave === "" ? {} : { waveMessagesPerSecond: (wave.messages / ms) * 1_000 }),
};
console.log(JSON.stringify(load));
process.exit(0);

/** Waits for what has been published, up to a limit. */
async function arrive(): Promise<void> {
  for (let waitedMs = 0; delivered < published && waitedMs < 10_000; waitedMs += 10) await Bun.sleep(10);
}

/** Publishes so many a second, evenly from now on, until `done` says so of the time gone by. */
async function drive(perSecond: number, done: (ms: number) => boolean): Promise<void> {
  const started = performance.now();
  const first = published;
  for (let ms = 0; !done(ms); ms = performance.now() - started) {
    if (ms > 120_000) throw new Error("the wave did not come to its end");
    for (const due = first + (ms / 1_000) * perSecond; published < due; published++) publish(published);
    await Bun.sleep(1);
  }
}

function startWave(): void {
  subscribe(connections[0] ?? publisher, {
    topics: [Buffer.from(values.wave, "hex")],
    onCount: (messages) => {
      wave.messages += messages;
    },
    onComplete: () => {
      wave.complete = true;
      counted.to = performance.now();
    },
  });
}

function publish(index: number): void {
  const topic = topics[index % topics.length] ?? new Uint8Array(16);
  const head = Buffer.alloc(8);
  head.writeDoubleBE(performance.now());
  publisher
    .call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest([mlsMessage(topic, head, Number(values.bytes))]))
    .catch(() => failed++);
}

/** Reads the moment of publishing out of the ciphertext of a delivered group message. */
function arrived(entry: Buffer, counts: boolean): void {
  delivered++;
  if (!counts) return;
  const now = performance.now();
  const v1 = readField(entry, 0);
  for (let at = v1.start; at < v1.end; ) {
    const part = readField(entry, at);
    at = part.end;
    if (part.number !== 4) continue;
    const publishedAt = entry.readDoubleBE(part.end - ciphertextBytes);
    if (publishedAt >= counted.from && publishedAt <= counted.to) latenciesMs.push(now - publishedAt);
  }
}
