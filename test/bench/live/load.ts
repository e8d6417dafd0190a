/**
 * Holds many streams on one topic, publishes to it, and counts what arrives.
 *
 * Closed loop: no more than `window` messages are ahead of the slowest count, so what is measured is how fast
 * a message reaches everybody, not how deep a queue may grow. Ends with an exact account: published times
 * streams = delivered, or it fails.
 */

import { parseArgs } from "node:util";
import { mlsMessage, mutateRequest, pongRequest, readResponse, sendRequest } from "../support/protobuf";
import { RawConnection } from "../support/raw-h2";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    streams: { type: "string", default: "1000" },
    connections: { type: "string", default: "100" },
    bytes: { type: "string", default: "256" },
    batch: { type: "string", default: "16" },
    window: { type: "string", default: "64" },
    seconds: { type: "string", default: "4" },
  },
});
const streams = Number(values.streams);
const batch = Number(values.batch);
const window = Number(values.window);
const measureMs = Number(values.seconds) * 1_000;
const groupId = crypto.getRandomValues(new Uint8Array(16));

const connections = await Promise.all(
  Array.from({ length: Number(values.connections) }, () => RawConnection.open(values.address)),
);
const publisher = await RawConnection.open(values.address);

let delivered = 0;
let complete = 0;
let wake = () => {};

for (let i = 0; i < streams; i++) {
  const stream = connections[i % connections.length]?.open("/xmtp.mls.api.v1.MlsApi/Subscribe", {
    onMessage: (message) => {
      const seen = readResponse(message);
      if (seen.kind === "messages") delivered += seen.count;
      if (seen.kind === "complete") complete++;
      if (seen.kind === "ping") stream?.send(pongRequest(seen.nonce));
      wake();
    },
    onEnd: () => {
      throw new Error("a stream ended in the middle");
    },
  });
  stream?.send(mutateRequest(1n, [groupId], 0n));
}
await until(() => complete === streams, "all waves to complete");

let published = 0;
let sequence = 0n;
const publish = async () => {
  const messages = Array.from({ length: batch }, () => {
    const head = Buffer.alloc(8);
    head.writeBigUInt64BE(++sequence);
    return mlsMessage(groupId, head, Number(values.bytes));
  });
  published += batch;
  await publisher.call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest(messages));
};

/** Publishes for a while, as fast as deliveries allow. */
async function drive(ms: number): Promise<void> {
  const end = performance.now() + ms;
  const calls = new Set<Promise<void>>();
  while (performance.now() < end) {
    await until(() => published * streams - delivered <= window * streams, "the slowest stream to come near");
    const call = publish().finally(() => calls.delete(call));
    calls.add(call);
  }
  await Promise.all(calls);
}

await drive(1_000);
const before = { delivered, at: performance.now(), cpu: process.cpuUsage() };
await drive(measureMs);
const ms = performance.now() - before.at;
const cpu = process.cpuUsage(before.cpu);
const during = delivered - before.delivered;
await until(() => delivered === published * streams, "the last deliveries");

console.log(
  JSON.stringify({
    deliveriesPerSecond: (during / ms) * 1_000,
    megabytesPerSecond: (during * Number(values.bytes)) / ms / 1_000,
    clientCpuShare: (cpu.user + cpu.system) / 1_000 / ms,
    published,
    delivered,
  }),
);
process.exit(0);

/** Waits for a condition that incoming messages make true; fails after 20 s without one. */
async function until(condition: () => boolean, what: string): Promise<void> {
  while (!condition()) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () =>
        reject(new Error(`waited for ${what}: published ${published}, delivered ${delivered}, complete ${complete}`)),
      20_000,
    );
    wake = resolve;
    await promise;
    clearTimeout(timer);
  }
}
