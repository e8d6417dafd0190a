import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock";
import { kindOf, NodeApi, topicBytes } from "../../src/client";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { scaled } from "./support/settings";

const HOUR_MS = 3_600_000;
/** How long the clock stays where it has jumped to: several Pings, canaries and rounds of retention. */
const HELD_MS = 8_000;

test("the wall clock jumps by an hour either way: no stream ends, no timer waits, nothing is too old (I1, I2, I3, I10)", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tideline-fault-clock-"));
  const file = join(directory, "offset");
  const setClock = (offsetMs: number) => writeFileSync(file, `${offsetMs}`);
  setClock(0);
  try {
    await using node = await FaultNode.start({
      program: [process.execPath, "--preload", join(import.meta.dir, "support/wall-clock.ts"), "src/main.ts"],
      env: {
        FAULTS_WALL_CLOCK: file,
        TIDELINE_KEEPALIVE_MS: "1000",
        TIDELINE_CANARY_MS: "500",
        // By a clock that is an hour ahead, or by stamps of one that was behind, everything would be too old.
        TIDELINE_GROUP_RETENTION: "5m",
        TIDELINE_WELCOME_RETENTION: "5m",
      },
    });
    await using drill = new Drill({ fault: 13, title: "wall clock jumps" });
    const topics = drill.topics({ groups: 6, welcomes: 2 });
    const silent = drill.topics({ groups: 1 });
    drill.subscribe(node, { topics });
    drill.subscribe(node, { topics: topics.slice(0, 3) });
    drill.subscribe(node, { topics: silent, name: "a silent stream" });
    for (let n = 0; n < 2; n++) drill.publish(node, { topics, perSecond: scaled(200) });
    await drill.allConnected(1);
    await drill.moreAcks(20);

    let slowestMs = 0;
    for (const offsetMs of [HOUR_MS, 0, -HOUR_MS, 0]) {
      const pings = await node.metric("tideline_pings_total");
      const canaries = await node.metric("tideline_canary_seconds_count");
      const jumpedAt = performance.now();
      setClock(offsetMs);
      await drill.until(async () => {
        return Math.abs((await newestStampMs(node, topics)) - (Date.now() + offsetMs)) < 60_000;
      }, "stamps of the new time");
      await systemClock.sleep(HELD_MS);
      expect((await node.readiness()).status).toBe(200);
      expect(await node.metric("tideline_pings_total")).toBeGreaterThan(pings + 3);
      expect(await node.metric("tideline_canary_seconds_count")).toBeGreaterThan(canaries + 5);
      await drill.moreAcks(20);
      const [stream] = drill.subscribers;
      const range = { fromMs: jumpedAt, toMs: performance.now() };
      slowestMs = Math.max(slowestMs, stream?.reading.arrivals.longestSilence(range) ?? 0);
    }

    expect(drill.subscribers.map(({ connects, losses }) => ({ connects, losses }))).toEqual(
      drill.subscribers.map(() => ({ connects: 1, losses: [] })),
    );
    const deleted = [...(await node.metrics())].filter(([name]) => name.startsWith("tideline_messages_deleted_total"));
    expect(deleted.map(([, count]) => count)).toEqual([0, 0]); // both kinds were looked through
    await drill.finish({ readAt: node, figures: { jumps: 4, longestSilenceMs: Math.round(slowestMs) } });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 180_000);

/** When the node stored the newest group message of these topics, by its wall clock, in milliseconds since 1970. */
async function newestStampMs(node: FaultNode, topics: ReturnType<Drill["topics"]>): Promise<number> {
  using api = new NodeApi({ address: `http://${node.address}` });
  const groups = topics.filter((topic) => kindOf(topic) === 0).map((topic) => topicBytes(topic).subarray(1));
  const pages = await Promise.all(
    groups.map((id) => api.queryGroupMessages(id, { limit: 1, direction: "descending" })),
  );
  const stamps = pages.flatMap(({ messages }) => messages.map(({ createdNs }) => Number(createdNs / 1_000_000n)));
  return stamps.length === 0 ? 0 : Math.max(...stamps);
}
