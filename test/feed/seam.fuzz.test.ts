import { describe, expect, test } from "bun:test";
import type { ReplayScope } from "../../src/core/session/events";
import { KINDS, type Kind, kindOf, type Topic } from "../../src/core/topic";
import type { RunningFeed } from "../../src/feed/feed";
import { StoreError } from "../../src/store/error";
import type { StoredMessage } from "../../src/store/types";
import { MemoryStore, testMessage, testTopics } from "../support/memory-store";
import { Prng } from "../support/prng";
import { VirtualClock } from "../support/virtual-clock";
import { idsOf, memoryFeed, PageSink, Probe } from "./harness";

const { FUZZ_SEEDS = "40" } = process.env;
const SEEDS = Number(FUZZ_SEEDS);
/** Time that one seed may take. */
const SEED_MS = 1_000;

describe("the seam between replay and offers", () => {
  test(
    `I1, I2, I3, I5: in ${SEEDS} histories, replay up to the ceiling and offers from then on are everything, once`,
    () => histories({ delete: 0 }),
    SEED_MS * SEEDS,
  );

  test(
    `I1, I2, I3, I5: in ${SEEDS} histories whose oldest messages are deleted meanwhile, all that is left comes once`,
    async () => {
      const deleted = await histories({ delete: 1 });
      expect(deleted).toBeGreaterThan(SEEDS * 10);
    },
    SEED_MS * SEEDS,
  );
});

/** How often messages are deleted, in proportion to other acts. */
interface Retention {
  readonly delete: number;
}

/** Returns how many messages were deleted in all of them. */
async function histories(retention: Retention): Promise<number> {
  let deleted = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      deleted += await history(seed, retention);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error}`, { cause: error });
    }
  }
  return deleted;
}

/** What one stream asked for in one synchronous turn. */
interface Stream {
  readonly scope: ReplayScope;
  readonly sink: PageSink;
  readonly probe: Probe;
  cancelled: boolean;
}

/** Streams come and go on one node while it and others write, with a tail and an index that are far too small. */
async function history(seed: number, retention: Retention): Promise<number> {
  const random = new Prng(seed);
  const clock = new VirtualClock();
  const store = new MemoryStore(clock);
  const delays = () => ({ there: random.int(4), back: random.int(4) });
  await using memory = memoryFeed({
    store,
    clock,
    readDelays: delays,
    appendDelays: delays,
    options: {
      tailRows: random.pick([16, 50, 10_000]), // not below lookRows: a probe resolves its offsets at once
      headTopics: random.pick([4, 1_000]),
      recentIds: random.pick([1, 30, 10_000]),
      sharedBytes: random.pick([0, 1 << 20]),
      warmIds: random.pick([0, 20, 100_000]),
      replayQueries: random.pick([1, 4]),
      lookRows: 8,
      pollMs: 10,
    },
  });
  const { feed, reader } = memory;
  const topics = testTopics(8);
  for (let n = random.pick([0, 300, 3_000]); n > 0; n--) store.insert(random.pick(topics), undefined, holes(random));
  const starting = feed.start();
  await clock.advanceAsync(60);
  await starting;
  const streams: Stream[] = [];
  const publishes: Promise<void>[] = [];
  const deleted: StoredMessage[] = [];
  for (let step = 0; step < 120; step++) {
    const act = random.weighted({ open: 3, publish: 4, insert: 3, cancel: 1, fault: 0.2, pass: 5, ...retention });
    if (act === "open") streams.push(open(feed, random, topics));
    if (act === "publish") publishes.push(feed.publish([testMessage(random.pick(topics), step)]));
    if (act === "insert") store.insert(random.pick(topics), undefined, holes(random));
    if (act === "cancel" && streams.length > 0) cancel(random.pick(streams));
    if (act === "delete") deleted.push(...deleteOldest(feed, random, store));
    if (act === "fault") reader.failure = new StoreError("unreachable", "no answer");
    if (act === "pass") await clock.advanceAsync(random.int(20));
    if (random.chance(0.2)) reader.failure = undefined;
  }
  reader.failure = undefined;
  await clock.advanceAsync(30_000);
  await Promise.all(publishes);
  for (const stream of streams) check(stream, store, deleted);
  return deleted.length;
}

/** Deletes some of the oldest messages of a kind, all of which the tail has seen; the feed may be told or not. */
function deleteOldest(feed: RunningFeed, random: Prng, store: MemoryStore): readonly StoredMessage[] {
  const kind = random.pick(KINDS);
  const upTo = BigInt(random.int(Number(feed.tail.headIds[kind]) + 1));
  const gone = store.rows(kind).filter(({ id }) => id <= upTo);
  store.deleteUpTo(kind, upTo);
  if (random.chance(0.5)) feed.setGone(kind, upTo);
  return gone;
}

/** As a session does: watch, take the ceiling, and start the replay, all in one turn. */
function open(feed: RunningFeed, random: Prng, all: readonly Topic[]): Stream {
  const topics = all.filter(() => random.chance(0.5));
  const probe = new Probe(feed.tail);
  feed.watch(probe, topics);
  const ceilings = feed.tail.headIds;
  const floors = topics.map((topic) => {
    const head = Number(ceilings[kindOf(topic)]);
    return BigInt(
      random.weighted({ start: 1, near: 2, any: 1 }) === "near"
        ? Math.max(0, head - random.int(5))
        : random.int(head + 1),
    );
  });
  const scope: ReplayScope = { topics, floors, ceilings };
  return { scope, sink: new PageSink().start(feed, scope), probe, cancelled: false };
}

function cancel(stream: Stream): void {
  if (stream.sink.done) return;
  stream.cancelled = true;
  stream.sink.replay?.cancel();
}

/** What was deleted may have come, in its place, or not. */
function check({ scope, sink, probe, cancelled }: Stream, store: MemoryStore, deleted: readonly StoredMessage[]): void {
  expect(sink.faults).toEqual([]);
  expect(sink.failure).toBeUndefined();
  expect(sink.done).toBe(!cancelled);
  for (const kind of KINDS) {
    const replayed = idsOf(sink.messages, kind);
    const offered = probe.ids(kind);
    const came = new Set([...replayed, ...offered]);
    const gone = deleted.filter(({ id }) => came.has(id));
    const due = dueOf(scope, kind, [...gone, ...store.rows(kind)]);
    if (!cancelled) expect([...replayed, ...offered]).toEqual([...due]);
    else expect([...due].slice(0, replayed.length)).toEqual([...replayed]);
  }
}

/** Everything of a kind that a stream must get: above the floors in history, and whatever came since. */
function dueOf(scope: ReplayScope, kind: Kind, rows: readonly StoredMessage[]): readonly bigint[] {
  const floorOf = new Map(scope.topics.map((topic, at) => [topic, scope.floors[at] ?? 0n]));
  return rows
    .filter(({ topic, id }) => kindOf(topic) === kind && id > (floorOf.get(topic) ?? id))
    .map(({ id }) => id)
    .sort((a, b) => Number(a - b));
}

function holes(random: Prng): bigint {
  return BigInt(random.chance(0.05) ? random.int(400) : 0);
}
