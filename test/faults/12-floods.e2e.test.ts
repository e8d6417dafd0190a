import { expect, test } from "bun:test";
import { type AttackName, attack } from "./support/attacks";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { scaled } from "./support/settings";
import { longestSilence } from "./support/silence";

const ATTACK_MS = 500;
/** Until when an attack has to be cut, and how long nothing may reach a stream meanwhile, on the busiest machine; in milliseconds. */
const CUT_MS = 60_000;
const MAX_SILENCE_MS = 10_000;

/** A few of them; all are in 12-floods.faults.slow.test.ts. */
const ATTACKS: readonly AttackName[] = [
  "rapid reset",
  "made you reset",
  "PINGs",
  "SETTINGS",
  "CONTINUATION without end",
];

test("floods of resets, PINGs, SETTINGS and headers end their own connection, and no stream beside loses or waits", async () => {
  await using node = await FaultNode.start();
  await using drill = new Drill({ fault: 12, title: "floods" });
  const topics = drill.topics({ groups: 4 });
  const streams = [drill.subscribe(node, { topics }), drill.subscribe(node, { topics: topics.slice(2) })];
  const publisher = drill.publish(node, { topics, perSecond: scaled(400), batch: 2 });
  await drill.allConnected(1);
  await drill.moreAcks(20);

  const uncut: string[] = [];
  let worstSilenceMs = 0;
  for (const name of ATTACKS) {
    const silenceMs = await longestSilence(node, streams, async () => {
      const { cut } = await attack(name, { address: node.address, ms: ATTACK_MS, patienceMs: CUT_MS });
      if (cut === 0) uncut.push(name);
    });
    worstSilenceMs = Math.max(worstSilenceMs, silenceMs);
  }
  await drill.moreAcks(20);
  expect(uncut).toEqual([]);
  expect(worstSilenceMs).toBeLessThan(MAX_SILENCE_MS);
  expect(streams.map(({ connects }) => connects)).toEqual([1, 1]);
  expect([...publisher.failures]).toEqual([]);
  await drill.finish({ readAt: node, figures: { worstSilenceMs } });
});
