import { expect, test } from "bun:test";
import { askToStore } from "./support/ask-to-store";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import { scaled } from "./support/settings";

const CANARY_MS = 200;

test("a node on a hot standby, told nothing of that, is ready for readers and serves what its primary is given, says no to publishers, and takes them once it is promoted", async () => {
  await using primary = await FaultPostgres.start();
  await using first = await FaultNode.start({ databaseUrl: primary.url });
  await using standby = await FaultPostgres.standbyOf(primary);
  await using node = await FaultNode.start({ databaseUrl: standby.url, env: { TIDELINE_CANARY_MS: `${CANARY_MS}` } });
  await using drill = new Drill({ fault: 10, title: "hot standby" });
  const topics = drill.topics({ groups: 4, welcomes: 1 });
  const stream = drill.subscribe(node, { topics });
  const before = drill.publish(first, { topics, perSecond: scaled(200) });
  await drill.moreAcks(40);
  await drill.until(async () => (await node.readiness()).status === 200, "the node to be ready for readers");
  const [ready, publishing] = [await node.readiness(), await node.readiness("/readyz/publishing")];
  const words = await askToStore(node);
  await drill.moreAcks(20);

  // What is replicated later than it is acked would be lost with the primary: that is the operator's choice, not ours.
  await before.stop();
  await drill.until(() => stream.reading.received >= drill.ledger.length, "the standby to have everything");
  await primary.end("SIGKILL");
  const admin = standby.connect();
  await admin`SELECT pg_promote()`;
  await admin.end();
  drill.publish(node, { topics, perSecond: scaled(200) });
  await drill.moreAcks(40);
  expect(words).toMatch(/^unavailable: .*25006/);
  expect([ready, publishing.status]).toEqual([{ status: 200, notifications: "polling" }, 503]);
  await drill.until(async () => (await node.readiness("/readyz/publishing")).status === 200, "it to be ready for all");
  await drill.until(async () => (await node.readiness()).notifications === "listening", "it to listen");
  expect(stream.connects).toBe(1);
  await drill.finish({ readAt: node });
}, 90_000);
