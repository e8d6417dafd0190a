import { describe, expect, test } from "bun:test";
import { createLogger } from "../../src/base/log";
import { GROUP } from "../../src/core/topic";
import { QueryPool, Unwanted } from "../../src/feed/pool";
import { StoreError, type StoreFault } from "../../src/store/error";
import { MemoryStore, type QueryName, testTopic, testTopics } from "../support/memory-store";
import { VirtualClock } from "../support/virtual-clock";
import { expectExactly, filled, type MemoryFeed, memoryFeed, PageSink, replayed, scopeOf, startedOn } from "./harness";

const down = (fault: StoreFault = "unreachable") => new StoreError(fault, "no answer");

/** A feed whose every query takes 10 ms. */
async function slowOn(store: MemoryStore, clock: VirtualClock, queries: number): Promise<MemoryFeed> {
  const readDelays = () => ({ there: 5, back: 5 });
  const memory = memoryFeed({ store, clock, readDelays, options: { tickMs: 1e9, replayQueries: queries } });
  const starting = memory.feed.start();
  await clock.advanceAsync(50);
  await starting;
  memory.feed.setListening(true);
  await clock.advanceAsync(50);
  memory.reader.takeAsked();
  return memory;
}

describe("turns", () => {
  test("no more queries run at once than are allowed", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 5_000, 30);
    await using memory = await slowOn(store, clock, 3);
    const sinks = testTopics(30).map((topic) => new PageSink().start(memory.feed, scopeOf(memory.feed, [topic])));
    await clock.advanceAsync(10_000);
    expect(sinks.every((sink) => sink.done)).toBe(true);
    expect(memory.reader.mostRunning).toBe(3);
  });

  test("big scans do not starve a small one: it waits for one query of each at most", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 60_000, 6);
    const small = testTopic(GROUP, 77);
    store.insert(small);
    await using memory = await slowOn(store, clock, 1);
    const { feed } = memory;
    const big = Array.from({ length: 5 }, (_, n) => new PageSink().start(feed, scopeOf(feed, [testTopic(GROUP, n)])));
    await clock.advanceAsync(300);
    const startedAt = clock.now();
    const last = feed.tail.headIds[GROUP] - 1n;
    const sink = new PageSink().start(feed, scopeOf(feed, [small], last));
    while (!sink.done) await clock.advanceAsync(1);
    const turns = 2; // its head, its row
    expect(clock.now() - startedAt).toBeLessThanOrEqual(turns * 10 * (big.length + 1) + 10);
    expect(big.some((other) => other.done)).toBe(false);
    for (const other of big) other.replay?.cancel();
  });

  test("the pool hands turns over in the order in which they were asked for, and passes over what nobody wants", async () => {
    const pool = new QueryPool(1);
    const order: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const query = (name: string, until: Promise<void> = Promise.resolve()) => {
      return async () => {
        order.push(name);
        await until;
        return name;
      };
    };
    const first = pool.run(query("first", promise), () => true);
    const second = pool.run(query("second"), () => false);
    const third = pool.run(query("third"), () => true);
    expect([pool.running, pool.waiting]).toEqual([1, 2]);
    resolve();
    expect(await first).toBe("first");
    await expect(second).rejects.toBeInstanceOf(Unwanted);
    expect(await third).toBe("third");
    expect([order, pool.running, pool.waiting]).toEqual([["first", "third"], 0, 0]);
    await expect(
      pool.run(
        () => Promise.reject(down()),
        () => true,
      ),
    ).rejects.toThrow("no answer");
    expect(pool.running).toBe(0);
  });
});

describe("pages and who asks for them", () => {
  test("a page comes for each time it is asked for, and one more is read ahead, not two", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 8_000, 1);
    await using memory = await startedOn(store, clock);
    const { feed, reader } = memory;
    const sink = new PageSink(true).start(feed, scopeOf(feed, [testTopic(GROUP, 0)]));
    await clock.advanceAsync(0);
    const pages = () => reader.takeAsked().filter((name) => name === "byIds").length;
    expect([sink.pages.length, pages()]).toEqual([1, 2]);
    await clock.advanceAsync(60_000);
    expect([sink.pages.length, pages()]).toEqual([1, 0]);
    sink.within(() => sink.replay?.next());
    await clock.advanceAsync(0);
    expect([sink.pages.length, pages()]).toEqual([2, 1]);
    sink.replay?.cancel();
    expect(sink.faults).toEqual([]);
  });

  test("I9, I12: a cancelled replay says nothing more, whatever it was doing, and its queries are not asked", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 5_000, 3);
    await using memory = await slowOn(store, clock, 1);
    const { feed, reader } = memory;
    const scope = scopeOf(feed, testTopics(3));
    for (let afterMs = 0; afterMs <= 70; afterMs += 5) {
      const sink = new PageSink(true).start(feed, scope);
      const waiting = new PageSink().start(feed, scopeOf(feed, [testTopic(GROUP, 2)], BigInt(afterMs)));
      await clock.advanceAsync(afterMs);
      for (const each of [sink, waiting]) {
        each.replay?.cancel();
        each.replay?.cancel();
        each.replay?.next();
      }
      const pages = [sink.pages.length, waiting.pages.length];
      await clock.advanceAsync(10); // what runs may end
      reader.takeAsked();
      await clock.advanceAsync(1_000);
      expect([sink.pages.length, waiting.pages.length]).toEqual(pages);
      expect([sink.faults, sink.failure, reader.takeAsked(), feed.stats().replays]).toEqual([[], undefined, [], 0]);
    }
  });

  test("one of two who share a query may go: the other gets its answer", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 500, 1);
    await using memory = await slowOn(store, clock, 1);
    const { feed } = memory;
    const scope = scopeOf(feed, [testTopic(GROUP, 0)]);
    const busy = new PageSink().start(feed, scopeOf(feed, [testTopic(GROUP, 1)]));
    const first = new PageSink().start(feed, scope);
    const second = new PageSink().start(feed, scope);
    await clock.advanceAsync(1);
    first.replay?.cancel();
    await clock.advanceAsync(2_000);
    expectExactly(second, store, scope);
    expect([busy.done, first.pages]).toEqual([true, []]);
  });

  test("a sink that throws is dropped and logged; other replays go on", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 500, 2);
    const lines: string[] = [];
    const log = createLogger({ level: "error", format: "text", write: (line) => lines.push(line), wallMs: () => 0 });
    await using memory = memoryFeed({ store, clock, log, options: { tickMs: 1e9 } });
    const { feed } = memory;
    await feed.start();
    const scope = scopeOf(feed, testTopics(2));
    let calls = 0;
    const broken = () => {
      calls += 1;
      throw new Error("a fault of ours");
    };
    feed.replay(scope, { page: broken, failed: broken });
    expectExactly(await replayed(feed, scope, clock), store, scope);
    expect([calls, lines.length]).toEqual([1, 1]);
    expect(lines[0]).toContain("replay dropped");
  });
});

describe("a store that fails", () => {
  const QUERIES: readonly QueryName[] = ["heads", "ids", "byIds"];

  for (const name of QUERIES) {
    test(`I1: a failure of ${name} is tried again, and nothing is lost or doubled`, async () => {
      const clock = new VirtualClock();
      const store = filled(clock, 3_000, 4);
      await using memory = await startedOn(store, clock);
      const { feed, reader } = memory;
      let failures = 0;
      reader.onQuery = (asked) => {
        reader.failure = asked === name && failures++ % 3 !== 2 ? down() : undefined;
      };
      const scope = scopeOf(feed, testTopics(4), 5n);
      const sink = new PageSink().start(feed, scope);
      await clock.advanceAsync(10_000);
      expectExactly(sink, store, scope);
      expect(failures).toBeGreaterThanOrEqual(3);
    });
  }

  test("after replayRetryMs without an answer the replay fails, once, with a word for the peer and none of the query", async () => {
    const clock = new VirtualClock();
    const store = filled(clock, 100, 2);
    await using memory = await startedOn(store, clock, { replayRetryMs: 5_000 });
    const { feed, reader } = memory;
    reader.failure = down();
    const sink = new PageSink().start(feed, scopeOf(feed, testTopics(2)));
    await clock.advanceAsync(4_000);
    expect(sink.failure).toBeUndefined();
    await clock.advanceAsync(1_000);
    expect([sink.failure, sink.pages]).toEqual(["the store could not be read: unreachable", []]);
    reader.failure = undefined;
    await clock.advanceAsync(60_000);
    expect([sink.faults, clock.armed]).toEqual([[], 1]); // the tick of the tailer
    const scope = scopeOf(feed, testTopics(2));
    expectExactly(await replayed(feed, scope, clock), store, scope);
  });

  test("what another attempt cannot mend fails at once", async () => {
    const clock = new VirtualClock();
    await using memory = await startedOn(filled(clock, 100, 2), clock);
    memory.reader.failure = down("incompatible");
    const sink = new PageSink().start(memory.feed, scopeOf(memory.feed, testTopics(2)));
    await clock.advanceAsync(0);
    expect(sink.failure).toBe("the store could not be read: incompatible");
  });

  test("I12: the end of the feed ends its replays without a word, and leaves no timer behind", async () => {
    const clock = new VirtualClock();
    const memory = await startedOn(filled(clock, 5_000, 2), clock);
    const { feed, reader } = memory;
    const reading = new PageSink(true).start(feed, scopeOf(feed, testTopics(2)));
    await clock.advanceAsync(0);
    reader.failure = down();
    const failing = new PageSink().start(feed, scopeOf(feed, testTopics(1), 1n));
    await clock.advanceAsync(200);
    await memory[Symbol.asyncDispose]();
    expect([reading.pages.length, reading.failure, failing.pages, failing.failure]).toEqual([
      1,
      undefined,
      [],
      undefined,
    ]);
    expect([clock.armed, feed.stats().replays]).toEqual([0, 0]);
  });

  test("no replay is held up by a mark that topics of a new store have: nothing is there, so nothing is asked", async () => {
    const clock = new VirtualClock();
    await using memory = await startedOn(new MemoryStore(clock), clock);
    const sink = await replayed(memory.feed, scopeOf(memory.feed, testTopics(3)), clock);
    expect([sink.pages, memory.reader.takeAsked()]).toEqual([[[]], []]);
  });
});
