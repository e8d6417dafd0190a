import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import { scaled } from "./support/settings";

/** Acked requests before and after each fault. */
const ACKS = scaled(40);
/** Of the postmaster alone, whose children must notice; and of all at once, without a checkpoint ("immediate"). */
const SIGNALS = ["SIGKILL", "SIGQUIT"] as const;

function startLoad(drill: Drill, node: FaultNode): void {
  const topics = drill.topics({ groups: 6, welcomes: 2 });
  drill.subscribe(node, { topics });
  drill.subscribe(node, { topics: topics.slice(3) });
  for (let n = 0; n < 3; n++) drill.publish(node, { topics, perSecond: scaled(300) });
}

/** Streams need the database for history only: they outlive its absence. */
function expectStreamsToLive(drill: Drill): void {
  expect(drill.subscribers.map(({ connects, losses }) => ({ connects, losses }))).toEqual(
    drill.subscribers.map(() => ({ connects: 1, losses: [] })),
  );
}

/** Has the database killed and come back under load, once by each signal, and makes the account. */
async function outlive(
  drill: Drill,
  node: FaultNode,
  killAndBringBack: (signal: (typeof SIGNALS)[number]) => Promise<void>,
): Promise<void> {
  startLoad(drill, node);
  await drill.allConnected(1);
  let outageMs = 0;
  for (const signal of SIGNALS) {
    await drill.moreAcks(ACKS);
    const fromMs = performance.now();
    await killAndBringBack(signal);
    await drill.moreAcks(1);
    outageMs = Math.max(outageMs, performance.now() - fromMs);
  }
  await drill.moreAcks(ACKS);
  await drill.until(async () => (await node.readiness()).status === 200, "the node to be ready again");
  expectStreamsToLive(drill);
  await drill.finish({ readAt: node, figures: { outageMs: Math.round(outageMs) } });
}

test("a database that is killed, or stopped at once, and comes back: nothing acked is lost, streams live (I1, I2)", async () => {
  await using postgres = await FaultPostgres.start();
  await using node = await FaultNode.start({ databaseUrl: postgres.url });
  await using drill = new Drill({ fault: 2, title: "database killed, external" });
  await outlive(drill, node, async (signal) => {
    await postgres.end(signal);
    await postgres.startAgain();
  });
  expect(node.troubles.map((line) => line["event"])).toContain("store in trouble"); // else the fault has hit nothing
});

test("an embedded database that is killed is started again by its node: nothing acked is lost, streams live (I1, I2)", async () => {
  await using node = await FaultNode.start();
  await using drill = new Drill({ fault: 2, title: "database killed, embedded" });
  await outlive(drill, node, async (signal) => {
    const before = postmasterOf(node);
    process.kill(before, signal);
    await drill.until(() => ![0, before].includes(postmasterOf(node)), "another postmaster");
  });
});

/** Process id of the postmaster of an embedded database; 0 while there is none. */
function postmasterOf(node: FaultNode): number {
  try {
    return Number(readFileSync(`${node.databaseDir}/.s.PGSQL.5432.lock`, "utf8").split("\n")[0]);
  } catch {
    return 0;
  }
}
