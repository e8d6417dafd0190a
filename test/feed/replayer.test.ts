import { describe, expect, test } from "bun:test";
import type { ReplayScope } from "../../src/core/session/events";
import { GROUP, type PerKind, type Topic, WELCOME } from "../../src/core/topic";
import { MemoryStore, testMessage, testTopic, testTopics } from "../support/memory-store";
import { Prng } from "../support/prng";
import { VirtualClock } from "../support/virtual-clock";
import { expectExactly, filled, memoryFeed, PageSink, replayed, scopeOf, startedOn } from "./harness";

describe("what a replay reads", () => {
  test("R-17, I1, I3: everything above the floors and up to the ceilings, in one ascending pass per kind", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 6_000, 20);
    await using memory = await startedOn(store, clock);
    const scope = scopeOf(memory.feed, testTopics(10));
    const sink = await replayed(memory.feed, scope, clock);
    expectExactly(sink, store, scope);
    expect(sink.pages.every((page) => page.length <= 1_000)).toBe(true);
    expect(sink.pages[0]?.length).toBe(128);
  });

  test("R-7, R-36, I5: floors are exclusive and ceilings are inclusive, for each topic and kind", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 2_000, 8);
    await using memory = await startedOn(store, clock);
    const topics = testTopics(8);
    const random = new Prng(3);
    for (let round = 0; round < 30; round++) {
      const floors = topics.map(() => BigInt(random.int(1_100)));
      const ceilings: PerKind<bigint> = [BigInt(random.int(1_100)), BigInt(random.int(1_100))];
      const scope: ReplayScope = { topics, floors, ceilings };
      expectExactly(await replayed(memory.feed, scope, clock), store, scope);
    }
  });

  test("R-21: both kinds get their turns, page by page", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 20_000, 2);
    await using memory = await startedOn(store, clock);
    const sink = await replayed(memory.feed, scopeOf(memory.feed, testTopics(2)), clock);
    const kinds = sink.pages.slice(0, 10).map((page) => page[0]?.kind);
    expect(kinds).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
  });

  test("a page is bounded by bytes, and a message larger than a page still comes", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const topic = testTopic(GROUP, 1);
    for (let n = 0; n < 40; n++) store.insert(topic, new Uint8Array(n === 20 ? 3 << 20 : 100 << 10));
    await using memory = await startedOn(store, clock);
    const scope = scopeOf(memory.feed, [topic]);
    const sink = await replayed(memory.feed, scope, clock);
    expectExactly(sink, store, scope);
    for (const page of sink.pages) {
      const bytes = page.reduce((sum, { entry }) => sum + entry.byteLength, 0);
      expect(page.length === 1 || bytes < (1 << 20) + 1_000).toBe(true);
    }
  });

  test("I11: with many replays at once their pages are small, so that all of them together stay bounded", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const topics = testTopics(40);
    for (let n = 0; n < 2_000; n++) store.insert(topics[n % 80] ?? testTopic(GROUP, 0), new Uint8Array(4 << 10));
    await using memory = await startedOn(store, clock, { replayBytes: 4 << 20 });
    const sinks = topics.map((topic) => new PageSink(true).start(memory.feed, scopeOf(memory.feed, [topic])));
    await clock.advanceAsync(0);
    const sizes = sinks.flatMap((sink) => sink.pages.map((page) => page.length * (4 << 10)));
    expect(sizes.length).toBe(80);
    expect(Math.max(...sizes)).toBeLessThanOrEqual((4 << 20) / (2 * 80));
    for (const sink of sinks) sink.replay?.cancel();
  });

  test("holes in the ids and rows that have gone meanwhile are passed over", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const topic = testTopic(GROUP, 1);
    for (let n = 0; n < 400; n++) store.insert(topic, undefined, BigInt(n % 50));
    await using memory = await startedOn(store, clock);
    const scope = scopeOf(memory.feed, [topic]);
    expectExactly(await replayed(memory.feed, scope, clock), store, scope);
  });

  test("far apart messages are found in a few queries: windows widen", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const topic = testTopic(GROUP, 1);
    const other = testTopic(GROUP, 2);
    for (let n = 0; n < 20; n++) {
      store.insert(topic);
      store.insert(other, undefined, 5_000_000n);
    }
    await using memory = await startedOn(store, clock);
    const scope = scopeOf(memory.feed, [topic]);
    expectExactly(await replayed(memory.feed, scope, clock), store, scope);
    expect(memory.reader.takeAsked().length).toBeLessThan(60);
  });
});

describe("what a replay costs", () => {
  test("a wave of current topics completes without touching the database", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 1_000, 50);
    await using memory = await startedOn(store, clock);
    const { feed, reader } = memory;
    const topics = testTopics(50);
    const current = await replayed(feed, scopeOf(feed, topics, 1_000n), clock);
    expect([current.pages, reader.takeAsked()]).toEqual([[[]], []]);
    const none = await replayed(feed, scopeOf(feed, []), clock);
    expect([none.pages, reader.takeAsked()]).toEqual([[[]], []]);
  });

  test("topics whose floors are their own heads cost one question for heads, the second time none", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 1_000, 50);
    await using memory = await startedOn(store, clock);
    const { feed, reader } = memory;
    const topics = testTopics(50).filter((topic) => store.ofTopic(topic).length > 0);
    const floors = topics.map((topic) => store.ofTopic(topic).at(-1)?.id ?? 0n);
    const scope: ReplayScope = { topics, floors, ceilings: feed.tail.headIds };
    expect((await replayed(feed, scope, clock)).pages).toEqual([[]]);
    expect(reader.takeAsked()).toEqual(["heads", "heads"]);
    expect((await replayed(feed, scope, clock)).pages).toEqual([[]]);
    expect(reader.takeAsked()).toEqual([]);
  });

  test("on a node that has just started, topics among the newest messages cost no question, others do", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 1_000, 50);
    const old = testTopic(GROUP, 60);
    const { id: oldId } = store.insert(old);
    for (let n = 0; n < 2_200; n++) store.insert(testTopic(n % 2 === 0 ? GROUP : WELCOME, (n >> 1) % 50));
    await using memory = await startedOn(store, clock, { warmIds: 1_000 });
    const { feed, reader } = memory;
    const topics = testTopics(50).filter((topic) => store.ofTopic(topic).length > 0);
    const heads = (asked: readonly Topic[]) => asked.map((topic) => store.ofTopic(topic).at(-1)?.id ?? 0n);
    reader.takeAsked();
    const current: ReplayScope = { topics, floors: heads(topics), ceilings: feed.tail.headIds };
    expect([(await replayed(feed, current, clock)).pages, reader.takeAsked()]).toEqual([[[]], []]);
    const scope: ReplayScope = { topics: [old], floors: [oldId], ceilings: feed.tail.headIds };
    expect([(await replayed(feed, scope, clock)).pages, reader.takeAsked()]).toEqual([[[]], ["heads"]]);
  });

  test("many current topics cost one read of the range above their lowest floor, the second time none", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 2_000, 4_000);
    const topics = Array.from({ length: 1_500 }, (_, n) => testTopic(GROUP, n));
    for (const topic of topics) store.insert(topic);
    await using memory = await startedOn(store, clock, { sharedBytes: 0 });
    const { feed, reader } = memory;
    const heads = topics.map((topic) => store.ofTopic(topic).at(-1)?.id ?? 0n);
    const scope: ReplayScope = { topics, floors: heads, ceilings: feed.tail.headIds };
    expect((await replayed(feed, scope, clock)).messages).toEqual([]);
    expect(new Set(reader.takeAsked())).toEqual(new Set(["above"]));
    expect((await replayed(feed, scope, clock)).messages).toEqual([]);
    expect(reader.takeAsked()).toEqual([]);
    // One from behind finds what it lacks, and learns no less of the others.
    const behind: ReplayScope = { ...scope, floors: heads.map((head, n) => (n % 2 === 0 ? head - 1n : head)) };
    expectExactly(await replayed(feed, behind, clock), store, behind);
  });

  test("what others stored before the first message that is wanted is leapt over, however much it is", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    for (let n = 0; n < 60_000; n++) store.insert(testTopic(GROUP, 9_999));
    const topics = Array.from({ length: 3_000 }, (_, n) => testTopic(GROUP, n));
    for (const topic of topics.slice(0, 2_000)) for (let n = 0; n < 2; n++) store.insert(topic);
    await using memory = await startedOn(store, clock, { sharedBytes: 0 });
    const { feed, reader } = memory;
    const scope = scopeOf(feed, topics);
    expectExactly(await replayed(feed, scope, clock), store, scope);
    const asked = reader.takeAsked();
    // A look where the scan begins, the question for the first that is wanted in two parts, and on from there.
    expect(asked.slice(1, 3)).toEqual(["first", "first"]);
    expect(asked.length).toBeLessThan(20);
    const none = scopeOf(feed, topics.slice(2_000));
    expect((await replayed(feed, none, clock)).messages).toEqual([]);
    expect(reader.takeAsked().length).toBeLessThan(4);
  });

  test("where the newest messages of a topic are is known, also on a node that has just started: they alone are read", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 6_000, 1_000);
    await using memory = await startedOn(store, clock, { warmIds: 2_000, tailRows: 100 });
    const { feed, reader } = memory;
    const since = store.headIds()[GROUP];
    for (let n = 0; n < 1_000; n++) await feed.publish([testMessage(testTopic(GROUP, (n * 7) % 1_000), n)]);
    reader.takeAsked();
    const topics = testTopics(500);
    for (const below of [0n, 700n, 1_500n]) {
      const scope = scopeOf(feed, topics, since - below);
      expectExactly(await replayed(feed, scope, clock), store, scope);
      expect(new Set(reader.takeAsked())).toEqual(new Set(["byIds"]));
    }
    const older = scopeOf(feed, topics, since - 2_500n);
    expectExactly(await replayed(feed, older, clock), store, older);
    expect(reader.takeAsked()).not.toEqual(["byIds"]);
  });

  test("what is known without a question does not displace an answer that took one", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 12_000, 1_000);
    await using memory = await startedOn(store, clock, { warmIds: 2_000, sharedBytes: 24_000 });
    const { feed, reader } = memory;
    const old = scopeOf(feed, testTopics(20));
    const recent = scopeOf(feed, testTopics(500), store.headIds()[GROUP] - 1_500n);
    await replayed(feed, old, clock);
    expect(reader.takeAsked()).toContain("ids");
    await replayed(feed, recent, clock);
    expect(reader.takeAsked()).not.toContain("ids");
    expectExactly(await replayed(feed, old, clock), store, old);
    expect(reader.takeAsked()).not.toContain("ids");
  });

  test("one straggler among current topics is all that is read", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 3_000, 500);
    await using memory = await startedOn(store, clock);
    const { feed, reader } = memory;
    const topics = testTopics(500).filter((topic) => store.ofTopic(topic).length > 1);
    const floors = topics.map((topic, at) => store.ofTopic(topic).at(at === 7 ? -2 : -1)?.id ?? 0n);
    const scope: ReplayScope = { topics, floors, ceilings: feed.tail.headIds };
    const sink = await replayed(feed, scope, clock);
    expectExactly(sink, store, scope);
    expect(sink.messages.length).toBe(1);
    expect(reader.takeAsked().length).toBeLessThanOrEqual(4);
  });

  test("what is wholly in the tail comes out of it, the very same messages, without a query", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 500, 5);
    await using memory = await startedOn(store, clock);
    const { feed, reader } = memory;
    const before = feed.tail.headIds;
    for (let n = 0; n < 300; n++) await feed.publish([testMessage(testTopic(n % 2 === 0 ? GROUP : WELCOME, n % 5), n)]);
    reader.takeAsked();
    const topics = testTopics(5);
    const floors = topics.map((topic) => before[topic.charCodeAt(0) === 0 ? GROUP : WELCOME] + 3n);
    const scope: ReplayScope = { topics, floors, ceilings: feed.tail.headIds };
    const sink = await replayed(feed, scope, clock);
    expectExactly(sink, store, scope);
    expect(reader.takeAsked()).toEqual([]);
    const inTail = new Set(Array.from({ length: feed.tail.head }, (_, n) => feed.tail.get(n + 1)));
    expect(sink.messages.every((message) => inTail.has(message))).toBe(true);
  });

  test("what the tail has is not read from the store: only the part below it is", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 400, 3);
    await using memory = await startedOn(store, clock);
    const { feed } = memory;
    for (let n = 0; n < 200; n++) await feed.publish([testMessage(testTopic(GROUP, n % 3), n)]);
    const scope = scopeOf(feed, testTopics(3));
    const sink = await replayed(feed, scope, clock);
    expectExactly(sink, store, scope);
    const inTail = new Set(Array.from({ length: feed.tail.head }, (_, n) => feed.tail.get(n + 1)));
    expect(sink.messages.filter((message) => inTail.has(message)).length).toBe(200);
  });

  test("rows that leave the tail while they are being replayed out of it come from the store (I1)", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = await startedOn(store, clock, { tailRows: 3_000 });
    const { feed, reader } = memory;
    const topic = testTopic(GROUP, 1);
    const fill = async (count: number) => {
      for (let n = 0; n < count; n++) store.insert(topic);
      const looked = feed.look();
      await clock.advanceAsync(100);
      await looked;
    };
    await fill(3_000);
    const scope = scopeOf(feed, [topic]);
    const sink = new PageSink(true).start(feed, scope);
    await clock.advanceAsync(0);
    expect(sink.messages.length).toBe(1_000);
    await fill(2_990);
    reader.takeAsked();
    while (!sink.done) {
      sink.within(() => sink.replay?.next());
      await clock.advanceAsync(0);
    }
    expectExactly(sink, store, scope);
    expect(reader.takeAsked()).toContain("above");
  });

  test("many topics over a short range: the range is read and filtered here, the ids are not asked for", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 2_000, 4_000);
    const before = store.headIds();
    const topics = Array.from({ length: 1_500 }, (_, n) => testTopic(GROUP, n));
    for (const topic of topics) store.insert(topic);
    for (let n = 0; n < 100; n++) store.insert(testTopic(GROUP, 3_000 + n));
    await using memory = await startedOn(store, clock);
    const { feed, reader } = memory;
    const scope = scopeOf(feed, topics, before[GROUP]);
    const sink = await replayed(feed, scope, clock);
    expectExactly(sink, store, scope);
    expect(sink.messages.length).toBe(1_500);
    const asked = new Set(reader.takeAsked());
    expect([asked.has("above"), asked.has("ids"), asked.has("byIds")]).toEqual([true, false, false]);
  });

  const FIRST_PAGES = [
    { way: "every row of a range", topics: 4_000, floor: 0n },
    { way: "every row after what others have is leapt over", topics: 4_000, floor: -20_000n },
    { way: "the rows of known ids", topics: 10, floor: 0n },
  ];
  for (const { way, topics, floor } of FIRST_PAGES) {
    test(`the first page is small, so that it comes soon, and the next ones are not: ${way}`, async () => {
      const clock = new VirtualClock();
      const store = new MemoryStore(clock);
      for (let n = 0; n < 20_000; n++) store.insert(testTopic(GROUP, 9_999));
      for (let n = 0; n < 4_000; n++) store.insert(testTopic(GROUP, n % topics));
      await using memory = await startedOn(store, clock);
      const scope = scopeOf(memory.feed, testTopics(topics), 20_000n + floor);
      const sink = await replayed(memory.feed, scope, clock);
      expectExactly(sink, store, scope);
      const rows = sink.pages.map((page) => page.length);
      expect(rows[0]).toBeLessThanOrEqual(128);
      expect(Math.max(...rows)).toBe(1_000);
    });
  }

  const STAMPEDES = [
    { how: "what is in flight is joined", sharedBytes: 0 },
    { how: "what was read a moment ago is kept", sharedBytes: 32 << 20 },
  ];
  for (const { how, sharedBytes } of STAMPEDES) {
    test(`a stampede of identical resumes is one scan, though they began at different times: ${how}`, async () => {
      const clock = new VirtualClock();
      const store = filled(clock, 4_000, 4);
      const readDelays = () => ({ there: 4, back: 4 });
      await using memory = memoryFeed({ store, clock, options: { tickMs: 1e9, sharedBytes }, readDelays });
      const { feed, reader } = memory;
      const starting = feed.start();
      await clock.advanceAsync(20);
      await starting;
      feed.setListening(true);
      await clock.advanceAsync(20);
      const stampede = async (replays: number) => {
        reader.takeAsked();
        const sinks: PageSink[] = [];
        for (let n = 0; n < replays; n++) {
          await feed.publish([testMessage(testTopic(GROUP, 9), sharedBytes + replays + n)]); // moves the ceiling
          sinks.push(new PageSink().start(feed, scopeOf(feed, testTopics(4))));
        }
        await clock.advanceAsync(10_000);
        const first = new Set(sinks[0]?.messages);
        expect(first.size).toBe(4_000);
        for (const sink of sinks) {
          expect([sink.done, sink.messages.length]).toEqual([true, 4_000]);
          expect(sink.messages.every((message) => first.has(message))).toBe(true);
        }
        return reader.takeAsked().length;
      };
      const alone = await stampede(1);
      expect(alone).toBeGreaterThan(3);
      expect(await stampede(200)).toBeLessThanOrEqual(sharedBytes === 0 ? alone : 0);
    });
  }

  test("many who ask for the head of a topic ask once", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 1_000, 5);
    await using memory = await startedOn(store, clock);
    const { feed, reader } = memory;
    const topics = testTopics(5);
    const floors = topics.map((topic) => store.ofTopic(topic).at(-1)?.id ?? 0n);
    const scope: ReplayScope = { topics, floors, ceilings: feed.tail.headIds };
    const sinks = Array.from({ length: 100 }, () => new PageSink().start(feed, scope));
    await clock.advanceAsync(0);
    expect(sinks.every((sink) => sink.done && sink.messages.length === 0)).toBe(true);
    expect(reader.takeAsked()).toEqual(["heads", "heads"]);
  });

  test("I1: an answer that is kept is of no use for what was stored since", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 300, 1);
    await using memory = await startedOn(store, clock, { tailRows: 1 });
    const { feed } = memory;
    const topic = testTopic(GROUP, 0);
    for (let round = 0; round < 5; round++) {
      const scope = scopeOf(feed, [topic]);
      expectExactly(await replayed(feed, scope, clock), store, scope);
      for (let n = 0; n < 3; n++) await feed.publish([testMessage(topic, round * 10 + n)]);
    }
  });

  test("I9: an answer that was on its way before a ceiling was pinned is not joined: it may lack what lies below it (I1)", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 300, 1);
    const memory = memoryFeed({
      store,
      clock,
      options: { tickMs: 1e9, tailRows: 1 },
      readDelays: () => ({ there: 0, back: 50 }),
    });
    await using _end = memory;
    const { feed } = memory;
    const starting = feed.start();
    await clock.advanceAsync(100);
    await starting;
    feed.setListening(true);
    await clock.advanceAsync(100);
    const early = new PageSink().start(feed, scopeOf(feed, [testTopic(GROUP, 0)]));
    await clock.advanceAsync(10); // its query has seen the store
    for (let n = 0; n < 5; n++) await feed.publish([testMessage(testTopic(GROUP, 0), n)]);
    const scope = scopeOf(feed, [testTopic(GROUP, 0)]);
    const late = new PageSink().start(feed, scope);
    await clock.advanceAsync(5_000);
    expect(early.done).toBe(true);
    expectExactly(late, store, scope);
  });
});
