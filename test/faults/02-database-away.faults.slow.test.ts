import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import { scaled } from "./support/settings";

/** Longer than a node tries to store a message (5 s behind others that fail, then 5 s itself). */
const AWAY_MS = 20_000;
/** How long a publisher may be left without an answer. */
const ANSWER_MS = 12_000;

test("a database that is away for 20 s: publishers are told in time, streams live, all goes on by itself (I1, I2)", async () => {
  await using postgres = await FaultPostgres.start();
  await using node = await FaultNode.start({ databaseUrl: postgres.url });
  await using drill = new Drill({ fault: 2, title: "database away" });
  const topics = drill.topics({ groups: 6, welcomes: 2 });
  drill.subscribe(node, { topics });
  drill.subscribe(node, { topics: topics.slice(3) });
  for (let n = 0; n < 3; n++) drill.publish(node, { topics, perSecond: scaled(300) });
  await drill.allConnected(1);
  await drill.moreAcks(40);

  await postgres.end("SIGINT");
  await drill.until(async () => (await node.readiness()).status === 503, "not to be ready");
  await systemClock.sleep(AWAY_MS);
  await postgres.startAgain();
  const backAt = performance.now();
  await drill.moreAcks(1);
  const ackedAfterMs = performance.now() - backAt;
  await drill.until(async () => (await node.readiness()).status === 200, "the node to be ready again");
  const readyAfterMs = performance.now() - backAt;
  await drill.moreAcks(40);

  const failures = new Set(drill.publishers.flatMap(({ failures }) => [...failures.keys()]));
  expect([...failures]).toEqual(["unavailable"]);
  const slowestFailureMs = Math.max(...drill.publishers.map((publisher) => publisher.slowestFailureMs));
  expect(slowestFailureMs).toBeLessThan(ANSWER_MS);
  expect(drill.subscribers.map(({ connects }) => connects)).toEqual([1, 1]);
  await drill.finish({
    readAt: node,
    figures: {
      slowestFailureMs: Math.round(slowestFailureMs),
      ackedAfterMs: Math.round(ackedAfterMs),
      readyAfterMs: Math.round(readyAfterMs),
    },
  });
}, 120_000);
