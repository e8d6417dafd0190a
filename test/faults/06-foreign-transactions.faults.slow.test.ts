import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { GROUP, kindOf, type Topic, WELCOME } from "../../src/client";
import type { Span } from "./support/column";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import type { Publisher } from "./support/publisher";
import { scaled } from "./support/settings";

const IDLE_MS = 30_000;
/** Short enough to wait for, and too long. */
const SHORT_LOCK_MS = 4_000;
const LONG_LOCK_MS = 20_000;
/** How long a publisher may be left without an answer: a statement is given up after 10 s. */
const ANSWER_MS = 18_000;
/** The longest that those may stand still whom a transaction does not concern, on a machine that is busy with others. */
const STANDSTILL_MS = 5_000;

interface Scene {
  readonly drill: Drill;
  readonly node: FaultNode;
  readonly groups: readonly Publisher[];
  readonly welcomes: Publisher;
}

/** A node under load, the kinds published apart from each other. */
async function startLoad(drill: Drill, node: FaultNode): Promise<Scene> {
  const topics = drill.topics({ groups: 6, welcomes: 2 });
  const ofKind = (kind: number): readonly Topic[] => topics.filter((topic) => kindOf(topic) === kind);
  drill.subscribe(node, { topics });
  drill.subscribe(node, { topics: topics.slice(3) });
  const groups = [0, 1].map(() => drill.publish(node, { topics: ofKind(GROUP), perSecond: scaled(200) }));
  const welcomes = drill.publish(node, { topics: ofKind(WELCOME), perSecond: scaled(100) });
  await drill.allConnected(1);
  await drill.moreAcks(40);
  return { drill, node, groups, welcomes };
}

async function lasting(ms: number): Promise<Span> {
  const fromMs = performance.now();
  await systemClock.sleep(ms);
  return { fromMs, toMs: performance.now() };
}

const longestAckGap = (publishers: readonly Publisher[], span: Span): number =>
  Math.max(...publishers.map(({ acked }) => acked.longestSilence(span)));

test("foreign transactions that idle for 30 s, one with a snapshot, one that has written: nobody waits (I1, I2)", async () => {
  await using postgres = await FaultPostgres.start();
  await using node = await FaultNode.start({ databaseUrl: postgres.url });
  await using drill = new Drill({ fault: 6, title: "foreign transactions idle" });
  const { groups, welcomes } = await startLoad(drill, node);

  const snapshot = postgres.connect();
  const writer = postgres.connect();
  await snapshot`CREATE TABLE foreign_things (n integer)`;
  await snapshot`BEGIN ISOLATION LEVEL REPEATABLE READ`;
  await snapshot`SELECT count(*) FROM messages`;
  await writer`BEGIN`;
  await writer`INSERT INTO foreign_things SELECT * FROM generate_series(1, 100)`;
  await writer`NOTIFY tideline`;
  const span = await lasting(IDLE_MS);
  await Promise.all([snapshot`COMMIT`, writer`COMMIT`]);
  await Promise.all([snapshot.end(), writer.end()]);
  await drill.moreAcks(40);

  const ackGapMs = longestAckGap([...groups, welcomes], span);
  const silenceMs = Math.max(...drill.subscribers.map(({ reading }) => reading.arrivals.longestSilence(span)));
  expect(ackGapMs).toBeLessThan(STANDSTILL_MS);
  expect(silenceMs).toBeLessThan(STANDSTILL_MS);
  expect(drill.publishers.flatMap(({ failures }) => [...failures])).toEqual([]);
  await drill.finish({
    readAt: node,
    figures: { ackGapMs: Math.round(ackGapMs), silenceMs: Math.round(silenceMs) },
  });
}, 120_000);

test("a foreign transaction that holds the counter of group messages for 20 s: they fail clearly, welcomes go on (I1, I2)", async () => {
  await using postgres = await FaultPostgres.start();
  await using node = await FaultNode.start({ databaseUrl: postgres.url });
  await using drill = new Drill({ fault: 6, title: "counter row held" });
  const { welcomes } = await startLoad(drill, node);

  const foreign = postgres.connect();
  await foreign`BEGIN`;
  await foreign`UPDATE sequences SET last = last WHERE kind = 0`;
  const span = await lasting(LONG_LOCK_MS);
  await foreign`ROLLBACK`;
  await foreign.end();
  const ackedAfterMs = await nextAck(drill);
  await drill.moreAcks(40);

  const welcomeGapMs = longestAckGap([welcomes], span);
  expect(welcomeGapMs).toBeLessThan(STANDSTILL_MS);
  expectClearFailures(drill);
  await finish(drill, node, { welcomeGapMs: Math.round(welcomeGapMs), ackedAfterMs });
}, 120_000);

test("a foreign lock on the table, ACCESS EXCLUSIVE: for 4 s publishers wait, for 20 s they fail clearly (I1, I2)", async () => {
  await using postgres = await FaultPostgres.start();
  await using node = await FaultNode.start({ databaseUrl: postgres.url });
  await using drill = new Drill({ fault: 6, title: "table locked" });
  await startLoad(drill, node);

  const foreign = postgres.connect();
  const lockFor = async (ms: number) => {
    await foreign`BEGIN`;
    await foreign`LOCK TABLE messages IN ACCESS EXCLUSIVE MODE`;
    const span = await lasting(ms);
    await foreign`COMMIT`;
    return span;
  };
  const short = await lockFor(SHORT_LOCK_MS);
  expect(longestAckGap(drill.publishers, short)).toBeGreaterThan(SHORT_LOCK_MS / 2); // else nothing was locked
  await drill.moreAcks(40);
  expect(drill.publishers.flatMap(({ failures }) => [...failures])).toEqual([]);

  await lockFor(LONG_LOCK_MS);
  await foreign.end();
  const ackedAfterMs = await nextAck(drill);
  await drill.until(async () => (await node.readiness()).status === 200, "the node to be ready again");
  await drill.moreAcks(40);
  expectClearFailures(drill);
  await finish(drill, node, { ackedAfterMs });
}, 120_000);

/** How long the next acked request takes from now, in milliseconds. */
async function nextAck(drill: Drill): Promise<number> {
  const fromMs = performance.now();
  await drill.moreAcks(1);
  return Math.round(performance.now() - fromMs);
}

function expectClearFailures(drill: Drill): void {
  const statuses = new Set(drill.publishers.flatMap(({ failures }) => [...failures.keys()]));
  expect([...statuses]).toEqual(["unavailable"]);
}

async function finish(drill: Drill, node: FaultNode, figures: Readonly<Record<string, number>>): Promise<void> {
  const slowestFailureMs = Math.max(...drill.publishers.map((publisher) => publisher.slowestFailureMs));
  expect(drill.subscribers.map(({ connects }) => connects)).toEqual([1, 1]);
  await drill.finish({ readAt: node, figures: { ...figures, slowestFailureMs: Math.round(slowestFailureMs) } });
  expect(slowestFailureMs).toBeLessThan(ANSWER_MS);
}
