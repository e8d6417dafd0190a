/**
 * Publishes one message per call at a fixed rate, spread over the topics of many streams, and measures for each
 * how long it took from before the call until it came out of its stream. Publisher and readers are one process,
 * so one clock measures both ends. Open loop: a late message does not slow the next one down.
 */

import { parseArgs } from "node:util";
import { mlsMessage, mutateRequest, pongRequest, readField, readResponse, sendRequest } from "../support/protobuf";
import { quantile } from "../support/question";
import { RawConnection } from "../support/raw-h2";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    streams: { type: "string", default: "100" },
    connections: { type: "string", default: "10" },
    rate: { type: "string", default: "1000" },
    bytes: { type: "string", default: "256" },
    seconds: { type: "string", default: "4" },
  },
});
const rate = Number(values.rate);
const measureMs = Number(values.seconds) * 1_000;
const warmUpMs = 1_000;
/** Of a message made by `mlsMessage`: all but its header, a group id of 16 bytes and the lengths. */
const ciphertextBytes = Number(values.bytes) - 34;

const connections = await Promise.all(
  Array.from({ length: Number(values.connections) }, () => RawConnection.open(values.address)),
);
const publisher = await RawConnection.open(values.address);
const topics = Array.from({ length: Number(values.streams) }, () => crypto.getRandomValues(new Uint8Array(16)));

const latenciesMs: number[] = [];
let delivered = 0;
let complete = 0;
for (const [index, topic] of topics.entries()) {
  const stream = connections[index % connections.length]?.open("/xmtp.mls.api.v1.MlsApi/Subscribe", {
    onMessage: (message) => {
      const seen = readResponse(message, (entry) => arrived(entry));
      if (seen.kind === "complete") complete++;
      if (seen.kind === "ping") stream?.send(pongRequest(seen.nonce));
    },
    onEnd: () => {
      throw new Error("a stream ended in the middle");
    },
  });
  stream?.send(mutateRequest(1n, [topic], 0n));
}
while (complete < topics.length) await Bun.sleep(1);

const started = performance.now();
let published = 0;
let failed = 0;
while (performance.now() - started < warmUpMs + measureMs) {
  const due = ((performance.now() - started) / 1_000) * rate;
  for (; published < due; published++) publish(published);
  await Bun.sleep(1);
}
for (let waitedMs = 0; delivered < published && waitedMs < 10_000; waitedMs += 10) await Bun.sleep(10);
if (failed > 0 || delivered !== published) {
  throw new Error(`published ${published}, refused ${failed}, delivered ${delivered}`);
}
console.log(
  JSON.stringify({
    p50: quantile(latenciesMs, 0.5),
    p99: quantile(latenciesMs, 0.99),
    max: quantile(latenciesMs, 1),
    samples: latenciesMs.length,
  }),
);
process.exit(0);

function publish(index: number): void {
  const topic = topics[index % topics.length] ?? new Uint8Array(16);
  const head = Buffer.alloc(8);
  head.writeDoubleBE(performance.now());
  publisher
    .call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest([mlsMessage(topic, head, Number(values.bytes))]))
    .catch(() => failed++);
}

/** Reads the moment of publishing out of the ciphertext of a delivered group message. */
function arrived(entry: Buffer): void {
  delivered++;
  const now = performance.now();
  if (now - started < warmUpMs) return;
  const v1 = readField(entry, 0);
  for (let at = v1.start; at < v1.end; ) {
    const part = readField(entry, at);
    at = part.end;
    if (part.number === 4) latenciesMs.push(now - entry.readDoubleBE(part.end - ciphertextBytes));
  }
}
