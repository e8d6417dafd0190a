import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import type { Span } from "./support/column";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import { scaled } from "./support/settings";

const FROZEN_MS = 10_000;
/** The longest that the others may stand still, on a machine that is busy with others. */
const STANDSTILL_MS = 5_000;

for (const count of [2, 3]) {
  test(`${count} nodes on one database, one frozen for 10 s: the others go on at once, it catches up (I1, I2, I3)`, async () => {
    await using postgres = await FaultPostgres.start();
    await using stack = new AsyncDisposableStack();
    const nodes: FaultNode[] = [];
    for (let n = 0; n < count; n++) nodes.push(stack.use(await FaultNode.start({ databaseUrl: postgres.url })));
    await using drill = new Drill({ fault: 5, title: `one of ${count} nodes frozen` });
    const topics = drill.topics({ groups: 6, welcomes: 2 });
    const parties = nodes.map((node) => ({
      node,
      stream: drill.subscribe(node, { topics }),
      publishers: [0, 1].map(() => drill.publish(node, { topics, perSecond: scaled(150) })),
    }));
    await drill.allConnected(1);
    await drill.moreAcks(60);
    const [frozen, ...others] = parties;
    if (frozen === undefined) throw new Error("no node");

    frozen.node.freeze();
    const span = await lasting(FROZEN_MS);
    const inFrozen = frozen.stream.reading.received;
    const behind = Math.max(...others.map(({ stream }) => stream.reading.received)) - inFrozen;
    const head = inFrozen + behind;
    frozen.node.thaw();
    await drill.until(() => frozen.stream.reading.received >= head, "the frozen one to catch up");
    const caughtUpMs = performance.now() - span.toMs;
    await drill.moreAcks(60);

    const ackGapMs = Math.max(
      ...others.flatMap((party) => party.publishers.map(({ acked }) => acked.longestSilence(span))),
    );
    const silenceMs = Math.max(...others.map(({ stream }) => stream.reading.arrivals.longestSilence(span)));
    expect(behind).toBeGreaterThan(0); // else it was not frozen
    expect(ackGapMs).toBeLessThan(STANDSTILL_MS);
    expect(silenceMs).toBeLessThan(STANDSTILL_MS);
    expect(drill.subscribers.map(({ connects }) => connects)).toEqual(nodes.map(() => 1));
    const figures = {
      ackGapMs: Math.round(ackGapMs),
      silenceMs: Math.round(silenceMs),
      behind,
      caughtUpMs: Math.round(caughtUpMs),
    };
    await drill.finish({ readAt: frozen.node, figures });
  }, 120_000);
}

/** In one request: more rows than a socket would hold, if each message were answered by one. */
const LARGE = 20_000;

test("a node frozen while the database stores its request of 20 000 messages: the others go on at once (I1, I2)", async () => {
  await using postgres = await FaultPostgres.start();
  await using frozen = await FaultNode.start({ databaseUrl: postgres.url });
  await using other = await FaultNode.start({ databaseUrl: postgres.url });
  await using drill = new Drill({ fault: 5, title: "node frozen in a large request" });
  const topics = drill.topics({ groups: 4 });
  drill.subscribe(frozen, { topics });
  const { reading } = drill.subscribe(other, { topics });
  await drill.allConnected(1);
  const sql = postgres.connect();

  const large = drill.publish(frozen, { topics, perSecond: 1, batch: LARGE, bytes: 16 });
  await drill.until(async () => {
    const active = await sql`
      SELECT 1 FROM pg_stat_activity WHERE application_name = 'tideline append' AND state = 'active'`;
    return active.length > 0;
  }, "the database to be at it");
  frozen.freeze();
  const publisher = drill.publish(other, { topics, perSecond: scaled(150) });
  const span = await lasting(FROZEN_MS);
  expect(large.acked.length).toBe(0); // else it was not frozen in the middle
  const ackGapMs = publisher.acked.longestSilence(span);
  const silenceMs = reading.arrivals.longestSilence(span);
  expect(ackGapMs).toBeLessThan(STANDSTILL_MS);
  expect(silenceMs).toBeLessThan(STANDSTILL_MS);
  frozen.thaw();
  await sql.end();
  await drill.until(() => large.acked.length > 0, "the large request to be acked");

  const figures = { ackGapMs: Math.round(ackGapMs), silenceMs: Math.round(silenceMs) };
  await drill.finish({ readAt: other, figures });
}, 120_000);

async function lasting(ms: number): Promise<Span> {
  const fromMs = performance.now();
  await systemClock.sleep(ms);
  return { fromMs, toMs: performance.now() };
}
