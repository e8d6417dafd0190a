import { describe, expect, test } from "bun:test";
import { createLogger } from "../../src/base/log";
import { MAX_CURSOR } from "../../src/core/limits";
import { GROUP, KINDS, type Kind, WELCOME } from "../../src/core/topic";
import type { RunningFeed } from "../../src/feed/feed";
import { StoreError } from "../../src/store/error";
import { MemoryStore, testMessage, testTopic, testTopics } from "../support/memory-store";
import { Prng } from "../support/prng";
import { VirtualClock } from "../support/virtual-clock";
import { memoryFeed, Probe } from "./harness";

const group = testTopic(GROUP, 1);
const welcome = testTopic(WELCOME, 1);
const down = () => new StoreError("unreachable", "the database is away");

/** Whether a promise has settled, and how, once all that can settle has. */
async function outcome(clock: VirtualClock, promise: PromiseLike<unknown>): Promise<string> {
  let seen = "pending";
  promise.then(
    () => {
      seen = "resolved";
    },
    (error: unknown) => {
      seen = `${error}`;
    },
  );
  await clock.advanceAsync(0);
  return seen;
}

describe("looking at the store", () => {
  test("starts above what is there already, and is ready after the first look", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    store.insert(group);
    store.insert(welcome);
    store.insert(welcome);
    await using memory = memoryFeed({ store, clock, readDelays: () => ({ there: 5, back: 5 }) });
    const { feed } = memory;
    const starting = feed.start();
    expect(feed.ready).toBe(false);
    await clock.advanceAsync(10);
    store.insert(group); // committed between the two questions of a start: the first look finds it (I1)
    await clock.advanceAsync(10);
    await starting;
    expect([feed.ready, feed.tail.headIds, feed.tail.head]).toEqual([true, [2n, 2n], 1]);
  });

  test("before the start nothing can be watched, replayed or published: it would miss messages (I1)", async () => {
    const clock = new VirtualClock();
    await using memory = memoryFeed({ store: new MemoryStore(clock), clock });
    const { feed } = memory;
    const probe = new Probe(feed.tail);
    expect(() => feed.watch(probe, [group])).toThrow("not been started");
    const scope = { topics: [], floors: [], ceilings: [0n, 0n] as const };
    expect(() => feed.replay(scope, { page() {}, failed() {} })).toThrow("not been started");
    await expect(feed.publish([testMessage(group, 1)])).rejects.toThrow("not been started");
  });

  test("poll-only: rows of others arrive within pollMs without any hint", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock, options: { pollMs: 25, tickMs: 1_000 } });
    await memory.feed.start();
    store.insert(group);
    await clock.advanceAsync(24);
    expect(memory.feed.tail.head).toBe(0);
    await clock.advanceAsync(1);
    expect(memory.feed.tail.headIds).toEqual([1n, 0n]);
  });

  test("while notifications reach us the store is left alone for tickMs; once they do not, it is polled", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock, options: { pollMs: 25, tickMs: 1_000 } });
    const { feed, reader } = memory;
    await feed.start();
    feed.setListening(true);
    await clock.advanceAsync(0);
    reader.takeAsked();
    store.insert(group); // its notification is lost
    await clock.advanceAsync(999);
    expect([reader.takeAsked(), feed.tail.head]).toEqual([[], 0]);
    await clock.advanceAsync(1);
    expect([reader.takeAsked(), feed.tail.head]).toEqual([["above", "above"], 1]);
    feed.setListening(false);
    await clock.advanceAsync(0);
    store.insert(group);
    await clock.advanceAsync(25);
    expect(feed.tail.head).toBe(2);
  });

  test("one look runs and at most one is queued, however many hints come", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const readDelays = () => ({ there: 5, back: 5 });
    await using memory = memoryFeed({ store, clock, readDelays });
    const { feed, reader } = memory;
    const starting = feed.start();
    await clock.advanceAsync(20);
    await starting;
    feed.setListening(true);
    await clock.advanceAsync(10);
    reader.takeAsked();
    for (let hint = 0; hint < 100; hint++) {
      feed.lookAgain();
      await clock.advanceAsync(0.1);
    }
    await clock.advanceAsync(30);
    expect(reader.takeAsked().length).toBe(2 * 2); // one row read per kind and look
    expect(reader.mostRunning).toBe(2);
  });

  test("a notification of what is in the tail already costs no query; one that says nothing costs a look", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock });
    const { feed, reader } = memory;
    await feed.start();
    feed.setListening(true);
    await clock.advanceAsync(0);
    await feed.publish([testMessage(group, 1)]);
    reader.takeAsked();
    feed.notified({ kind: GROUP, id: 1n });
    await clock.advanceAsync(0);
    expect(reader.takeAsked()).toEqual([]);
    store.insert(group);
    feed.notified({ kind: GROUP, id: 2n });
    await clock.advanceAsync(0);
    expect([reader.takeAsked().length, feed.tail.headIds[GROUP]]).toEqual([2, 2n]);
    feed.notified(undefined);
    await clock.advanceAsync(0);
    expect(reader.takeAsked().length).toBe(2);
  });

  test("a notification that comes while an own append is under way waits a moment for its answer, and no longer", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const appendDelays = () => ({ there: 0, back: 1 });
    await using memory = memoryFeed({ store, clock, appendDelays });
    const { feed, reader } = memory;
    await feed.start();
    feed.setListening(true);
    await clock.advanceAsync(0);
    reader.takeAsked();
    const own = feed.publish([testMessage(group, 1)]);
    await clock.advanceAsync(0); // stored, the answer is on its way
    feed.notified({ kind: GROUP, id: 1n });
    await clock.advanceAsync(10);
    await own;
    expect([reader.takeAsked(), feed.tail.head]).toEqual([[], 1]);
    const other = feed.publish([testMessage(group, 2)]);
    await clock.advanceAsync(0);
    store.insert(group);
    store.insert(group);
    for (const id of [3n, 4n, 3n]) feed.notified({ kind: GROUP, id });
    expect([await outcome(clock, other), feed.tail.head, reader.takeAsked()]).toEqual(["pending", 1, []]);
    await clock.advanceAsync(2);
    expect([await outcome(clock, other), feed.tail.headIds]).toEqual(["resolved", [4n, 0n]]);
    store.insert(welcome);
    const third = feed.publish([testMessage(group, 3)]);
    feed.notified({ kind: WELCOME, id: 1n }); // no append of this kind is under way
    await clock.advanceAsync(0);
    expect([await outcome(clock, third), feed.tail.headIds[WELCOME]]).toEqual(["pending", 1n]);
    await clock.advanceAsync(10);
    expect(clock.armed).toBe(1); // the tick
  });

  test("a backlog is read in pages bounded by rows and bytes, and other work gets a turn between them", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock, options: { lookRows: 10, lookBytes: 1_000, pollMs: 50 } });
    const { feed, reader } = memory;
    await feed.start();
    for (let n = 0; n < 24; n++) store.insert(group);
    for (let n = 0; n < 4; n++) store.insert(welcome, new Uint8Array(900));
    const probe = new Probe(feed.tail);
    feed.watch(probe, [group, welcome]);
    reader.takeAsked();
    const looking = feed.look();
    await new Promise((resolve) => setImmediate(resolve)); // everything but timers
    expect(feed.tail.headIds).toEqual([10n, 1n]);
    await clock.advanceAsync(0);
    await looking;
    expect(probe.ids(GROUP)).toEqual(Array.from({ length: 24 }, (_, n) => BigInt(n + 1)));
    expect(probe.ids(WELCOME)).toEqual([1n, 2n, 3n, 4n]);
    expect(probe.calls).toBeGreaterThanOrEqual(3);
  });

  test("a store that fails is asked again for ever with growing pauses, nothing is skipped, and the node is not ready meanwhile", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const lines: string[] = [];
    const log = createLogger({ level: "info", format: "text", write: (line) => lines.push(line), wallMs: () => 0 });
    await using memory = memoryFeed({ store, clock, log });
    const { feed, reader } = memory;
    await feed.start();
    const probe = new Probe(feed.tail);
    feed.watch(probe, [group]);
    reader.failure = down();
    store.insert(group);
    await clock.advanceAsync(25);
    expect(feed.ready).toBe(false);
    reader.takeAsked();
    await clock.advanceAsync(60_000);
    const asked = reader.takeAsked().length;
    expect(asked).toBeGreaterThan(2 * 50);
    expect(asked).toBeLessThan(2 * 70);
    store.insert(group);
    reader.failure = undefined;
    await clock.advanceAsync(1_000);
    expect([feed.ready, probe.ids(GROUP)]).toEqual([true, [1n, 2n]]);
    expect(lines.map((line) => line.slice(19).split(" fault")[0])).toEqual(["look failed", "looking again"]);
  });

  test("the start waits for the store as long as it takes", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock });
    const { feed, reader } = memory;
    reader.failure = down();
    const starting = feed.start();
    await clock.advanceAsync(30_000);
    expect(await outcome(clock, starting)).toBe("pending");
    reader.failure = undefined;
    await clock.advanceAsync(1_000);
    expect([await outcome(clock, starting), feed.ready]).toEqual(["resolved", true]);
  });

  test("holes in the ids are passed over", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock });
    const { feed } = memory;
    await feed.start();
    store.insert(group, undefined, 3n);
    store.insert(group, undefined, 2n);
    await feed.look();
    await feed.publish([testMessage(group, 1)]);
    store.insert(group, undefined, 1n);
    await feed.publish([testMessage(group, 2)]);
    expect(feed.tail.headIds[GROUP]).toBe(11n);
    expect(feed.tail.head).toBe(5);
  });
});

describe("a look that is waited for", () => {
  const readDelays = () => ({ there: 5, back: 5 });

  async function started(store: MemoryStore, clock: VirtualClock) {
    const memory = memoryFeed({ store, clock, readDelays, options: { lookMs: 2_000 } });
    const starting = memory.feed.start();
    await clock.advanceAsync(20);
    await starting;
    memory.feed.setListening(true);
    await clock.advanceAsync(10);
    return memory;
  }

  test("R-36: resolves only after a look that began after the call, and callers share it", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = await started(store, clock);
    const { feed, reader } = memory;
    feed.lookAgain();
    await clock.advanceAsync(6); // the look has seen the store and is on its way back
    store.insert(group);
    reader.takeAsked();
    const looks = [feed.look(), feed.look(), feed.look()];
    await clock.advanceAsync(4);
    expect([await outcome(clock, Promise.all(looks)), feed.tail.head]).toEqual(["pending", 0]);
    await clock.advanceAsync(10);
    expect([await outcome(clock, Promise.all(looks)), feed.tail.head]).toEqual(["resolved", 1]);
    expect(reader.takeAsked()).toEqual(["above", "above"]);
  });

  test("R-36: one that is under way is not joined: it may have looked too early", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = await started(store, clock);
    const { feed } = memory;
    const early = feed.look();
    await clock.advanceAsync(6);
    store.insert(group);
    const late = feed.look();
    await clock.advanceAsync(4);
    expect([await outcome(clock, early), await outcome(clock, late), feed.tail.head]).toEqual([
      "resolved",
      "pending",
      0,
    ]);
    await clock.advanceAsync(10);
    expect([await outcome(clock, late), feed.tail.head]).toEqual(["resolved", 1]);
  });

  test("rejects with a StoreError within a bounded time, and the next one works again", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = await started(store, clock);
    const { feed, reader } = memory;
    reader.failure = down();
    const looking = feed.look();
    await clock.advanceAsync(1_999);
    expect(await outcome(clock, looking)).toBe("pending");
    await clock.advanceAsync(1);
    expect(await outcome(clock, looking)).toContain("StoreError: the store could not be looked at within 2000 ms");
    reader.failure = undefined;
    store.insert(group);
    const next = feed.look();
    await clock.advanceAsync(1_100);
    expect([await outcome(clock, next), feed.tail.head]).toEqual(["resolved", 1]);
  });

  test("one that was asked for while the store was away is answered by the attempt that succeeds", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = await started(store, clock);
    const { feed, reader } = memory;
    reader.failure = down();
    const first = feed.look();
    await clock.advanceAsync(100);
    const second = feed.look();
    store.insert(group);
    reader.failure = undefined;
    await clock.advanceAsync(500);
    expect(await outcome(clock, Promise.all([first, second]))).toBe("resolved");
    expect(feed.tail.head).toBe(1);
  });

  test("the end of the feed tells whoever waits, and leaves no timer behind (I12)", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const memory = await started(store, clock);
    const { feed, reader } = memory;
    reader.failure = down();
    const looking = feed.look();
    const publishing = feed.publish([testMessage(group, 1)]).then(() => store.insert(group));
    await clock.advanceAsync(60);
    const ended = memory[Symbol.asyncDispose]();
    expect(await outcome(clock, looking)).toContain("going down");
    expect(await outcome(clock, publishing)).toBe("resolved");
    await clock.advanceAsync(20);
    expect(await outcome(clock, ended)).toBe("resolved");
    expect(await outcome(clock, feed.look())).toContain("going down");
    expect(clock.armed).toBe(0);
  });
});

describe("publishing", () => {
  test("a batch that continues the tail goes straight in: published means delivered, without a query", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock });
    const { feed, reader } = memory;
    await feed.start();
    feed.setListening(true);
    await clock.advanceAsync(0);
    const probe = new Probe(feed.tail);
    feed.watch(probe, [group]);
    reader.takeAsked();
    await feed.publish([testMessage(group, 1), testMessage(group, 2)]);
    expect([probe.ids(GROUP), probe.calls, reader.takeAsked()]).toEqual([[1n, 2n], 1, []]);
  });

  test("a batch that does not continue the tail is read back with what lies before it, and only then acked", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock });
    const { feed } = memory;
    await feed.start();
    feed.setListening(true);
    await clock.advanceAsync(0);
    const probe = new Probe(feed.tail);
    feed.watch(probe, [group]);
    store.insert(group);
    await feed.publish([testMessage(group, 1)]);
    expect(probe.ids(GROUP)).toEqual([1n, 2n]);
  });

  test("a duplicate is acked once the one that was first is in this node's tail, and is not delivered again", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using one = memoryFeed({ store, clock });
    await using two = memoryFeed({ store, clock });
    await one.feed.start();
    await two.feed.start();
    for (const { feed } of [one, two]) feed.setListening(true);
    await clock.advanceAsync(0);
    const probe = new Probe(two.feed.tail);
    two.feed.watch(probe, [group]);
    await one.feed.publish([testMessage(group, 7)]);
    await two.feed.publish([testMessage(group, 7)]);
    await two.feed.publish([testMessage(group, 7)]);
    expect([probe.ids(GROUP), store.rows(GROUP).length]).toEqual([[1n], 1]);
  });

  test("a message that is stored but cannot be read back is refused in bounded time, so that the publisher tries again", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({ store, clock, options: { lookMs: 500 } });
    const { feed, reader } = memory;
    await feed.start();
    store.insert(group);
    reader.failure = down();
    const publishing = feed.publish([testMessage(group, 1)]);
    await clock.advanceAsync(499);
    expect(await outcome(clock, publishing)).toBe("pending");
    await clock.advanceAsync(1);
    expect(await outcome(clock, publishing)).toContain("stored, but not read back within 500 ms");
    reader.failure = undefined;
    const again = feed.publish([testMessage(group, 1)]);
    await clock.advanceAsync(1_000);
    expect(await outcome(clock, again)).toBe("resolved");
    expect(feed.tail.headIds[GROUP]).toBe(2n);
  });
});

const { FUZZ_SEEDS = "150" } = process.env;
const SEEDS = Number(FUZZ_SEEDS);
/** Time that one seed may take. */
const SEED_MS = 1_000;

describe("ingest against look", () => {
  test(
    `I1, I2, I3: in ${SEEDS} interleavings of two nodes, each tail has every row once, in order, and an ack means it is there`,
    async () => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        try {
          await interleave(seed);
        } catch (error) {
          throw new Error(`seed ${seed}: ${error}`, { cause: error });
        }
      }
    },
    SEED_MS * SEEDS,
  );
});

/** Two nodes and a third writer on one store, every call of random length, hints lost at random. */
async function interleave(seed: number): Promise<void> {
  const random = new Prng(seed);
  const clock = new VirtualClock();
  const store = new MemoryStore(clock);
  const delays = () => ({ there: random.int(6), back: random.int(6) });
  const options = { lookRows: 4, pollMs: 30, tickMs: 200, tailRows: 100_000 };
  const topics = testTopics(3);
  const parts = { store, clock, options, readDelays: delays, appendDelays: delays };
  await using one = memoryFeed(parts);
  await using two = memoryFeed(parts);
  const starting = Promise.all([one.feed.start(), two.feed.start()]);
  await clock.advanceAsync(40);
  await starting;
  const nodes = [one, two].map(({ feed, reader }) => ({ feed, reader, probe: new Probe(feed.tail) }));
  for (const { feed, probe } of nodes) {
    feed.setListening(random.chance(0.7));
    feed.watch(probe, topics);
  }
  const publishes: Promise<void>[] = [];
  for (let step = 0; step < 60; step++) {
    const { feed, reader } = random.pick(nodes);
    const topic = random.pick(topics);
    const act = random.weighted({ publish: 5, insert: 2, look: 2, hint: 2, fault: 0.3, pass: 4 });
    if (act === "publish") publishes.push(publishOnce(store, feed, random, step));
    if (act === "insert") store.insert(topic);
    if (act === "look") feed.lookAgain();
    if (act === "hint") feed.notified({ kind: GROUP, id: store.headIds()[GROUP] });
    if (act === "fault") reader.failure = down();
    if (act === "pass") await clock.advanceAsync(random.int(12));
    if (random.chance(0.2)) for (const node of nodes) node.reader.failure = undefined;
  }
  for (const { reader } of nodes) reader.failure = undefined;
  await clock.advanceAsync(3_000);
  await Promise.all(publishes);
  for (const kind of KINDS) {
    const ids = store.rows(kind).map(({ id }) => id);
    for (const { probe } of nodes) expect(probe.ids(kind)).toEqual(ids);
  }
}

/** Publishes up to three messages of a kind, now and then one that may be there already. */
async function publishOnce(store: MemoryStore, feed: RunningFeed, random: Prng, step: number): Promise<void> {
  const kind = random.pick<Kind>([GROUP, WELCOME]);
  const request = Array.from({ length: random.between(1, 3) }, (_, n) => {
    return testMessage(testTopic(kind, random.int(3)), random.chance(0.1) ? 0 : step * 10 + n);
  });
  await feed.publish(request);
  for (const message of request) {
    expect(store.idOf(message) ?? MAX_CURSOR).toBeLessThanOrEqual(feed.tail.headIds[kind]);
  }
}
