import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { SUBSCRIBE_PATH } from "../support/h2-grpc";
import { FRAME, headerBlock, PREFACE, RawH2Client } from "../support/h2-raw";
import { ATTACK_NAMES, type AttackName, attack } from "./support/attacks";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { scaled } from "./support/settings";
import { longestSilence } from "./support/silence";

const ATTACK_MS = 1_500;
/** How long nothing may reach a stream while the node is attacked, in milliseconds. */
const MAX_SILENCE_MS = 4_000;
/** Of connections that are slow on purpose. */
const SLOW = 300;
/** How long a connection may take to speak HTTP/2, and what a busy machine may add, in milliseconds. */
const HANDSHAKE_MS = 10_000;
const LATE_MS = 5_000;

/** Calls like any others, and streams that are refused one by one: served in turn, and nothing that a budget is for. */
const UNCUT: ReadonlySet<AttackName> = new Set(["endless calls of no method", "too many streams"]);

test("every flood there is, from four connections at once, ends them and no other", async () => {
  await using node = await FaultNode.start();
  await using drill = new Drill({ fault: 12, title: "all floods" });
  const topics = drill.topics({ groups: 4 });
  const streams = [drill.subscribe(node, { topics }), drill.subscribe(node, { topics: topics.slice(2) })];
  const publisher = drill.publish(node, { topics, perSecond: scaled(400), batch: 2 });
  await drill.allConnected(1);

  const uncut: string[] = [];
  let worst = { silenceMs: 0, by: "none" };
  for (const name of ATTACK_NAMES) {
    for (const deaf of name === "PINGs" || name === "SETTINGS" ? [false, true] : [false]) {
      const patienceMs = UNCUT.has(name) ? 0 : 10_000;
      const silenceMs = await longestSilence(node, streams, async () => {
        const how = { address: node.address, ms: ATTACK_MS, connections: 4, deaf, patienceMs };
        const { cut } = await attack(name, how);
        if (cut === 0 && !UNCUT.has(name)) uncut.push(name);
      });
      if (silenceMs > worst.silenceMs) worst = { silenceMs, by: name };
    }
  }
  await drill.moreAcks(20);
  expect(uncut).toEqual([]);
  expect(worst.silenceMs).toBeLessThan(MAX_SILENCE_MS);
  expect(streams.map(({ connects }) => connects)).toEqual([1, 1]);
  expect([...publisher.failures]).toEqual([]);
  await drill.finish({
    readAt: node,
    figures: { worstSilenceMs: worst.silenceMs, worstBy: worst.by },
  });
}, 240_000);

test("connections that never finish their preface or their headers are held, then cut, and hold up nobody", async () => {
  await using node = await FaultNode.start();
  await using drill = new Drill({ fault: 12, title: "slow on purpose" });
  const topics = drill.topics({ groups: 4 });
  const stream = drill.subscribe(node, { topics });
  const publisher = drill.publish(node, { topics, perSecond: scaled(400), batch: 2 });
  await drill.allConnected(1);
  const port = Number(node.address.split(":").at(-1));
  const fromMs = performance.now();

  const prefaces = await Promise.all(Array.from({ length: scaled(SLOW) }, () => RawH2Client.bare(port)));
  for (const { socket } of prefaces) socket.write(PREFACE.subarray(0, 10));
  const headers = await Promise.all(Array.from({ length: scaled(SLOW) }, () => RawH2Client.open({ port })));
  for (const client of headers) client.send(FRAME.headers, 0, 1, headerBlock(SUBSCRIBE_PATH));
  while (prefaces.some(({ closed }) => !closed) && performance.now() - fromMs < HANDSHAKE_MS + LATE_MS) {
    for (const client of headers) client.send(FRAME.continuation, 0, 1, Buffer.of(0));
    await systemClock.sleep(250);
  }
  const span = { fromMs, toMs: performance.now() };
  expect(prefaces.filter(({ closed }) => !closed).length).toBe(0);
  expect(await node.metric("tideline_streams_open")).toBe(1);
  expect(stream.connects).toBe(1);
  expect([...publisher.failures]).toEqual([]);
  const silenceMs = stream.reading.arrivals.longestSilence(span);
  expect(silenceMs).toBeLessThan(MAX_SILENCE_MS);
  for (const client of [...prefaces, ...headers]) client[Symbol.dispose]();
  await drill.finish({ readAt: node, figures: { worstSilenceMs: Math.round(silenceMs) } });
}, 120_000);
