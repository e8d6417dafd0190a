import { describe, expect, test } from "bun:test";
import { GROUP, KINDS, type PerKind } from "../../src/core/topic";
import { HeadIndex } from "../../src/feed/head-index";
import { HeadQuestions } from "../../src/feed/head-questions";
import { QueryPool } from "../../src/feed/pool";
import { type Question, SharedReads } from "../../src/feed/shared-reads";
import { MemoryStore, testTopic } from "../support/memory-store";
import { VirtualClock } from "../support/virtual-clock";

const WANTS = { cancelled: false };

interface Scene {
  readonly reads: SharedReads<string>;
  readonly pool: QueryPool;
  /** How often the store was asked. */
  readonly asked: () => number;
  readonly question: (upTo: bigint, key?: string) => Question<string>;
  heads: PerKind<bigint>;
}

function scene(maxBytes: number): Scene {
  const pool = new QueryPool(1);
  const clock = new VirtualClock();
  const { signal } = new AbortController();
  let asked = 0;
  const made: Scene = {
    pool,
    heads: [10n, 10n],
    asked: () => asked,
    reads: new SharedReads({
      pool,
      clock,
      signal,
      maxBytes: () => maxBytes,
      retryMs: 0,
      headIds: () => made.heads,
      bytesOf: (value: string) => value.length,
    }),
    question: (upTo, key = "key") => ({
      key,
      kind: GROUP,
      upTo,
      ask: async () => {
        asked += 1;
        return `answer ${asked}`;
      },
    }),
  };
  return made;
}

describe("shared reads", () => {
  test("the same question is asked once as long as its answer reaches far enough (I1)", async () => {
    const made = scene(1_000);
    const { reads, question, asked } = made;
    expect(await reads.read(question(10n), WANTS)).toEqual({ value: "answer 1", covers: 10n });
    expect((await reads.read(question(7n), WANTS)).value).toBe("answer 1");
    made.heads = [12n, 10n];
    expect(await reads.read(question(11n), WANTS)).toEqual({ value: "answer 2", covers: 12n });
    expect((await reads.read(question(10n), WANTS)).value).toBe("answer 2");
    expect((await reads.read(question(10n, "other"), WANTS)).value).toBe("answer 3");
    expect(asked()).toBe(3);
  });

  test("answers are kept within a bound of bytes, those used last", async () => {
    const { reads, question, asked } = scene(2 * "key 1answer 1".length);
    for (const key of ["key 1", "key 2", "key 1", "key 3", "key 1"]) await reads.read(question(1n, key), WANTS);
    expect(asked()).toBe(3);
    await reads.read(question(1n, "key 2"), WANTS);
    expect(asked()).toBe(4);
  });

  test("whoever comes when a query has just been given up gets an answer all the same, at any moment", async () => {
    for (let turns = 0; turns < 20; turns++) {
      const { reads, pool, question } = scene(0);
      const busy = Promise.withResolvers<void>();
      const running = pool.run(
        () => busy.promise,
        () => true,
      );
      const leaving = { cancelled: false };
      const given = reads.read(question(1n), leaving).catch((error: unknown) => `${error}`);
      leaving.cancelled = true;
      busy.resolve();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      expect((await reads.read(question(1n), WANTS)).value).toBe("answer 1");
      await given;
      await running;
    }
  });
});

describe("questions for heads", () => {
  test("I1: a question under way is joined, but not once a topic may have been seen and forgotten since it began", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const topics = [1, 2, 3].map((n) => testTopic(GROUP, n));
    const [topic = testTopic(GROUP, 1), second = topic, third = topic] = topics;
    store.insert(topic);
    const reader = store.reader(() => ({ there: 5, back: 5 }));
    const heads = new HeadIndex(2, 1);
    const { signal } = new AbortController();
    const patience = { clock, signal, giveUpMs: 0 };
    const questions = new HeadQuestions({ reader, heads, pool: new QueryPool(4), patience });
    const early = questions.ask([topic]);
    await clock.advanceAsync(6);
    const joined = questions.ask([topic]);
    heads.saw(topic, store.insert(topic).id);
    heads.saw(second, store.insert(second).id);
    heads.saw(third, store.insert(third).id);
    expect(heads.get(topic)).toBeUndefined();
    const late = questions.ask([topic]);
    await clock.advanceAsync(20);
    expect([await early, await joined, await late]).toEqual([[1n], [1n], [2n]]);
    expect(reader.takeAsked()).toEqual(["heads", "heads"]);
    expect(heads.get(topic)).toBe(2n);
  });

  test("topics are asked for in batches of a thousand, and each gets its own answer", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    const topics = KINDS.flatMap((kind) => Array.from({ length: 1_250 }, (_, n) => testTopic(kind, n)));
    for (const [n, topic] of topics.entries()) if (n % 3 > 0) store.insert(topic);
    const reader = store.reader();
    const heads = new HeadIndex(10_000, 1);
    const { signal } = new AbortController();
    const patience = { clock, signal, giveUpMs: 0 };
    const questions = new HeadQuestions({ reader, heads, pool: new QueryPool(2), patience });
    const answers = await questions.ask(topics);
    expect(answers).toEqual(topics.map((topic) => store.ofTopic(topic).at(-1)?.id ?? 0n));
    expect(reader.takeAsked()).toEqual(["heads", "heads", "heads"]);
  });
});
