import { expect, test } from "bun:test";
import { makeCertificate } from "../support/certificate";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { scaled } from "./support/settings";

const LARGE_BYTES = 128 * 1024;
const LARGE_MESSAGES = scaled(240);

test("TLS with waves of megabytes on the connections that carry live: live flows on, every byte in order (I1, I2, I3, I4)", async () => {
  const [first, second] = [makeCertificate("first"), makeCertificate("second")];
  await using node = await FaultNode.start({ certificates: [first, second] });
  await using drill = new Drill({ fault: 14, title: "TLS, large waves beside live" });
  const large = drill.topics({ groups: 4 });
  const live = drill.topics({ groups: 4, welcomes: 2 });
  const filling = drill.publish(node, { topics: large, perSecond: 10_000, batch: 8, bytes: LARGE_BYTES });
  await drill.until(() => drill.ledger.count().acked >= LARGE_MESSAGES, "the history");
  await filling.stop();

  const options = { topics: [...large, ...live], later: large };
  const streams = [drill.subscribe(node, options), drill.subscribe(node, options)];
  for (let n = 0; n < 2; n++) drill.publish(node, { topics: live, perSecond: scaled(200) });
  await drill.allConnected(1);
  await drill.moreAcks(40);

  const begunAt = performance.now();
  const received = streams.map(({ reading }) => reading.received);
  for (const stream of streams) stream.addLater();
  const isThrough = () => streams.every(({ reading }, at) => reading.received >= (received[at] ?? 0) + LARGE_MESSAGES);
  await drill.until(isThrough, "the waves to be through");
  const wave = { fromMs: begunAt, toMs: performance.now() };
  const waits = streams.flatMap(({ reading }) => [...reading.arrivals.within(wave)]).sort((a, b) => a - b);
  expect(waits.length).toBeGreaterThan(0); // else nothing live came beside the waves
  await drill.moreAcks(20);

  node.renew(second);
  const another = drill.subscribe(node, { topics: live, name: "a stream after the renewal" });
  await drill.until(async () => (await node.commonName()) === "second", "the renewal");
  await another.reopen();
  await drill.moreAcks(20);
  expect(streams.map(({ connects }) => connects)).toEqual([1, 1]);
  await drill.finish({
    readAt: node,
    figures: {
      waveMiB: Math.round((streams.length * LARGE_MESSAGES * LARGE_BYTES) / 1_048_576),
      waveMs: Math.round(wave.toMs - wave.fromMs),
      liveBesideP50Ms: Math.round(waits[Math.floor(waits.length / 2)] ?? 0),
      liveBesideP99Ms: Math.round(waits[Math.floor(waits.length * 0.99)] ?? 0),
    },
  });
}, 120_000);
