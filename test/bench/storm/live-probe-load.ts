/**
 * Publishes at a low steady rate to the topics of some streams of its own and measures how long each message takes
 * to come out of its stream. Says "warm" once it is. At every word on its stdin it says the result so far and begins
 * anew; once that has ended it says the last one.
 *
 * Each message has a topic of its own: so publishing it reads no row, and rows that are read are somebody else's.
 */

import { parseArgs } from "node:util";
import { mlsMessage, readField, sendRequest } from "../support/protobuf";
import { quantile } from "../support/question";
import { RawConnection } from "../support/raw-h2";
import { Progress, subscribe } from "../support/streams";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    warmUpMs: { type: "string", default: "1000" },
  },
});
const STREAMS = 20;
const CONNECTIONS = 4;
const PER_SECOND = 200;
/** Enough for 100 seconds. */
const TOPICS_PER_STREAM = 1_000;
const BYTES = 256;
const warmUpMs = Number(values.warmUpMs);
/** Of a message made by `mlsMessage`: all but its header, a group id of 16 bytes and the lengths. */
const CIPHERTEXT_BYTES = BYTES - 34;

const progress = new Progress();
const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => RawConnection.open(values.address)));
const publisher = await RawConnection.open(values.address);
const topics = Array.from({ length: STREAMS }, () =>
  Array.from({ length: TOPICS_PER_STREAM }, () => crypto.getRandomValues(new Uint8Array(16))),
);
let latenciesMs: number[] = [];
let complete = 0;
let delivered = 0;
for (const [index, own] of topics.entries()) {
  subscribe(connections[index % CONNECTIONS] ?? publisher, {
    topics: own,
    onEntry: arrived,
    onComplete: () => {
      complete++;
      progress.made();
    },
  });
}
await progress.until(() => complete === STREAMS, "the probe's waves to complete");

let published = 0;
let refused = 0;
const isOver = endOfStdin();
const started = performance.now();
let isWarm = false;
while (!isOver()) {
  const elapsedMs = performance.now() - started;
  if (!isWarm && elapsedMs >= warmUpMs) {
    isWarm = true;
    console.log("warm");
  }
  for (; published < (elapsedMs / 1_000) * PER_SECOND; published++) publish(published);
  await Bun.sleep(1);
}
await progress.until(() => delivered >= published - refused, "the probe's last deliveries");
if (refused > 0 || delivered !== published) {
  throw new Error(`the probe published ${published}, of which ${refused} were refused, and got ${delivered}`);
}
sayResult();
process.exit(0);

function sayResult(): void {
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(latenciesMs, share));
  console.log(JSON.stringify({ p50, p99, max, samples: latenciesMs.length }));
  latenciesMs = [];
}

function publish(index: number): void {
  const topic = topics[index % STREAMS]?.[Math.floor(index / STREAMS)];
  if (topic === undefined) throw new Error("the probe has run out of topics");
  const head = Buffer.alloc(8);
  head.writeDoubleBE(performance.now());
  publisher
    .call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest([mlsMessage(topic, head, BYTES)]))
    .catch(() => refused++);
}

/** Reads the moment of publishing out of the ciphertext of a delivered group message. */
function arrived(entry: Buffer): void {
  delivered++;
  progress.made();
  const v1 = readField(entry, 0);
  for (let at = v1.start; at < v1.end; ) {
    const part = readField(entry, at);
    at = part.end;
    if (part.number === 4) latenciesMs.push(performance.now() - entry.readDoubleBE(part.end - CIPHERTEXT_BYTES));
  }
}

/** Begins anew at every word of whoever started this process; tells whether it is to end. */
function endOfStdin(): () => boolean {
  let ended = false;
  process.stdin.on("end", () => {
    ended = true;
  });
  process.stdin.on("data", sayResult);
  return () => ended;
}
