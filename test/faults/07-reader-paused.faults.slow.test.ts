import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { DEFAULT_FEED_OPTIONS } from "../../src/feed/options";
import type { Span } from "./support/column";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import { scaled } from "./support/settings";
import type { Subscriber } from "./support/subscriber";

const PER_SECOND = scaled(20_000);
const PUBLISHERS = 4;
/** Large requests, so that publishing leaves the machine to the streams. */
const REQUEST_MESSAGES = 500;
/** How long the node's tail may take to fill up: only then its memory can be flat. */
const FILL_MS = 90_000;
/** As the measure, and then as the fault. */
const BEFORE_MS = 8_000;
const PAUSED_MS = 30_000;
/** How long the paused reader may take for all it has missed. */
const SETTLE_MS = 180_000;
const TAIL_ROWS = DEFAULT_FEED_OPTIONS.tailRows;
const MIB = 1_048_576;
/** Less than half of what goes past the paused reader between the first and the last third of its pause. */
const FLAT_BYTES = 48 * MIB;
/** What a machine that is busy with others may add to a delivery. */
const NOISE_MS = 500;

test("a reader that takes nothing for 30 s of 20 000 messages/s: its stream lives, others feel nothing (I1, I2, I11)", async () => {
  await using postgres = await FaultPostgres.start();
  await using node = await FaultNode.start({ databaseUrl: postgres.url });
  await using drill = new Drill({ fault: 7, title: "reader paused" });
  const topics = drill.topics({ groups: 20 });
  const paused = drill.subscribe(node, { topics, name: "the paused stream", maxBufferedBytes: MIB });
  const others = [0, 1].map((n) => drill.subscribe(node, { topics: topics.slice(n * 3, n * 3 + 3) }));
  await drill.allConnected(1);
  for (let n = 0; n < PUBLISHERS; n++) {
    drill.publish(node, { topics, perSecond: PER_SECOND / PUBLISHERS, batch: REQUEST_MESSAGES });
  }
  await drill.until(async () => (await node.metric("tideline_tail_rows")) >= TAIL_ROWS, "a full tail", FILL_MS);

  const before = await watch(node, BEFORE_MS);
  const publishedBefore = drill.ledger.length;
  paused.pause();
  const during = await watch(node, PAUSED_MS);
  const published = drill.ledger.length - publishedBefore;
  const missed = published - (paused.reading.received - publishedBefore);
  paused.resume();
  const resumedAt = performance.now();
  await Promise.all(drill.publishers.map((publisher) => publisher.stop()));
  await drill.until(
    () => paused.reading.received === drill.ledger.length,
    "the paused reader to have everything",
    SETTLE_MS,
  );
  const caughtUpMs = performance.now() - resumedAt;

  const p99 = { before: p99Of(others, before.span), during: p99Of(others, during.span) };
  // Garbage makes it rise and fall by a hundred MiB: what is really held shows where it is lowest.
  const third = Math.floor(during.rssBytes.length / 3);
  const grownBytes = Math.min(...during.rssBytes.slice(-third)) - Math.min(...during.rssBytes.slice(0, third));
  expect(missed).toBeGreaterThan(published / 2); // else it was not paused
  expect(grownBytes).toBeLessThan(FLAT_BYTES);
  expect(p99.during).toBeLessThan(2 * p99.before + NOISE_MS);
  expect(drill.subscribers.map(({ connects }) => connects)).toEqual([1, 1, 1]);
  await drill.finish({
    readAt: node,
    settleMs: SETTLE_MS,
    figures: {
      perSecond: Math.round(published / (PAUSED_MS / 1_000)),
      missed,
      caughtUpMs: Math.round(caughtUpMs),
      rssGrownMiB: Math.round(grownBytes / MIB),
      p99BeforeMs: Math.round(p99.before),
      p99DuringMs: Math.round(p99.during),
      p99Ratio: Math.round((p99.during / p99.before) * 100) / 100,
    },
  });
}, 420_000);

interface Watched {
  readonly span: Span;
  /** Four times a second. */
  readonly rssBytes: readonly number[];
}

/** Lets time pass and looks at the memory of a node meanwhile. */
async function watch(node: FaultNode, ms: number): Promise<Watched> {
  const fromMs = performance.now();
  const rssBytes: number[] = [];
  while (performance.now() - fromMs < ms) {
    await systemClock.sleep(250);
    rssBytes.push(node.handles.rssBytes);
  }
  return { span: { fromMs, toMs: performance.now() }, rssBytes };
}

/** Of live deliveries to some streams. */
function p99Of(subscribers: readonly Subscriber[], span: Span): number {
  const all = subscribers.flatMap(({ reading }) => [...reading.arrivals.within(span)]).sort((a, b) => a - b);
  return all[Math.floor(all.length * 0.99)] ?? Number.POSITIVE_INFINITY;
}
