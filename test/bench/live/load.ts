/**
 * Holds many streams on one topic, publishes to it at a rate, and counts what arrives.
 *
 * Every millisecond one request brings what has become due since the last one. The loop is closed beyond a
 * window: no more than a few requests' worth are ahead of the deliveries, so a rate that is too high ends in the
 * rate that can be sustained, not in a deep queue. Ends with an exact account: published times streams =
 * delivered, or it fails.
 */

import { parseArgs } from "node:util";
import { meterTargets, startMeter } from "../support/meter";
import { mlsMessage, sendRequest } from "../support/protobuf";
import { RawConnection } from "../support/raw-h2";
import { Progress, subscribe } from "../support/streams";
import type { LiveLoad } from "./measure";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    streams: { type: "string", default: "1000" },
    perConnection: { type: "string", default: "10" },
    bytes: { type: "string", default: "256" },
    rate: { type: "string", default: "10000" },
    seconds: { type: "string", default: "3" },
  },
});
const streams = Number(values.streams);
const bytes = Number(values.bytes);
const rate = Number(values.rate);
const measureMs = Number(values.seconds) * 1_000;
/** As long as it takes until the server's code is compiled. */
const warmUpMs = Math.min(1_000, measureMs);
/** Messages that a request brings at most: two milliseconds' worth. */
const maxBatch = Math.max(16, Math.ceil(rate / 500));
/** Messages that may be ahead of the deliveries. */
const window = 4 * maxBatch;
const groupId = crypto.getRandomValues(new Uint8Array(16));

const connections = await Promise.all(
  Array.from({ length: Math.ceil(streams / Number(values.perConnection)) }, () => RawConnection.open(values.address)),
);
const publisher = await RawConnection.open(values.address);

const progress = new Progress();
let delivered = 0;
let complete = 0;
for (let i = 0; i < streams; i++) {
  const connection = connections[i % connections.length] ?? publisher;
  subscribe(connection, {
    topics: [groupId],
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
await progress.until(() => complete === streams, "all waves to complete");

let published = 0;
const publish = async (messages: number) => {
  const batch = Array.from({ length: messages }, (_, i) => {
    const head = Buffer.alloc(8);
    head.writeDoubleBE(published + i);
    return mlsMessage(groupId, head, bytes);
  });
  published += messages;
  await publisher.call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest(batch));
};

/** Publishes for a while at the rate, or as fast as deliveries allow: what a full window holds up is not made up for. */
async function drive(ms: number): Promise<void> {
  const calls = new Set<Promise<void>>();
  const end = performance.now() + ms;
  let due = 0;
  for (let last = performance.now(); last < end; ) {
    await progress.until(() => published * streams - delivered <= window * streams, "the slowest stream to come near");
    const now = performance.now();
    due = Math.min(due + ((now - last) / 1_000) * rate, maxBatch);
    last = now;
    const messages = Math.floor(due);
    due -= messages;
    if (messages > 0) {
      const call = publish(messages).finally(() => calls.delete(call));
      calls.add(call);
    }
    await Bun.sleep(1);
  }
  await Promise.all(calls);
}

await drive(warmUpMs);
const before = { delivered, published };
const stop = startMeter(meterTargets(values));
await drive(measureMs);
const { ms, ...cpu } = stop();
const deliveries = delivered - before.delivered;
await progress.until(() => delivered === published * streams, "the last deliveries");

const load: LiveLoad = {
  ...cpu,
  deliveriesPerSecond: (deliveries / ms) * 1_000,
  publishesPerSecond: ((published - before.published) / ms) * 1_000,
  measuredDeliveries: deliveries,
  measuredPublishes: published - before.published,
};
console.log(JSON.stringify(load));
process.exit(0);
