import { describe, expect, test } from "bun:test";
import { GROUP, type Topic, WELCOME } from "../../src/core/topic";
import { HeadIndex } from "../../src/feed/head-index";
import { testTopic } from "../support/memory-store";
import { Prng } from "../support/prng";

const a = testTopic(GROUP, 1);
const b = testTopic(GROUP, 2);
const c = testTopic(GROUP, 3);

const RECENT_IDS = 1_000;

describe("the head index", () => {
  test("a topic of which nothing is known is current from the watermark of its kind on, below only the store knows", () => {
    const index = new HeadIndex(100, RECENT_IDS);
    index.startAt([10n, 20n]);
    expect(index.isCurrent(a, 9n)).toBeUndefined();
    expect(index.isCurrent(a, 10n)).toBe(true);
    expect(index.isCurrent(testTopic(WELCOME, 1), 10n)).toBeUndefined();
    expect(index.isCurrent(testTopic(WELCOME, 1), 20n)).toBe(true);
  });

  test("what the newest messages are of is known from the start: topics not among them have nothing there", () => {
    const index = new HeadIndex(100, RECENT_IDS);
    index.startAt([10n, 20n]);
    index.startFrom(GROUP, 5n, [
      { topic: a, ids: BigInt64Array.of(6n, 7n) },
      { topic: b, ids: BigInt64Array.of(10n) },
    ]);
    expect([index.isCurrent(a, 6n), index.isCurrent(a, 7n), index.isCurrent(b, 9n)]).toEqual([false, true, false]);
    expect([index.isCurrent(c, 4n), index.isCurrent(c, 5n)]).toEqual([undefined, true]);
    expect(index.isCurrent(testTopic(WELCOME, 1), 19n)).toBeUndefined();
  });

  test("tells of each message above which id its topic had nothing before", () => {
    const index = new HeadIndex(4, 0);
    index.startAt([10n, 0n]);
    index.learn(b, 4n, index.generation);
    expect([index.saw(a, 11n), index.saw(b, 12n), index.saw(a, 13n), index.saw(c, 14n)]).toEqual([10n, 4n, 11n, 10n]);
    expect(index.saw(b, 15n)).toBe(12n); // had to leave for c, and was the quietest
  });

  test("of more topics than there is room for the quietest are not known from the start", () => {
    const index = new HeadIndex(2, RECENT_IDS);
    index.startAt([10n, 0n]);
    index.startFrom(GROUP, 5n, [
      { topic: a, ids: BigInt64Array.of(6n, 7n) },
      { topic: b, ids: BigInt64Array.of(10n) },
    ]);
    expect([index.isCurrent(a, 6n), index.isCurrent(a, 7n), index.isCurrent(c, 6n)]).toEqual([
      undefined,
      true,
      undefined,
    ]);
    expect([index.isCurrent(b, 9n), index.isCurrent(b, 10n)]).toEqual([false, true]);
  });

  test("what was seen and what the store said decides exactly", () => {
    const index = new HeadIndex(100, RECENT_IDS);
    index.startAt([10n, 0n]);
    index.saw(a, 11n);
    index.learn(b, 4n, index.generation);
    index.learn(c, 0n, index.generation);
    expect([index.isCurrent(a, 10n), index.isCurrent(a, 11n)]).toEqual([false, true]);
    expect([index.isCurrent(b, 3n), index.isCurrent(b, 4n)]).toEqual([false, true]);
    expect(index.isCurrent(c, 0n)).toBe(true);
  });

  test("an answer of the store never hides a message seen since, not even one that is forgotten later", () => {
    const index = new HeadIndex(2, RECENT_IDS);
    index.startAt([10n, 0n]);
    const { generation } = index;
    index.saw(a, 11n);
    index.learn(a, 5n, generation);
    expect(index.isCurrent(a, 10n)).toBe(false);
    index.saw(b, 12n); // there is room for one: a is forgotten
    expect([index.isCurrent(a, 10n), index.isCurrent(a, 11n)]).toEqual([undefined, true]);
  });

  test("an answer asked for before something was forgotten is not kept: it may be of what was forgotten", () => {
    const index = new HeadIndex(2, RECENT_IDS);
    index.startAt([10n, 0n]);
    const { generation } = index;
    index.saw(a, 11n);
    index.saw(b, 12n); // there is room for one: a is forgotten
    index.learn(a, 5n, generation);
    expect(index.get(a)).toBeUndefined();
    expect(index.isCurrent(a, 10n)).toBeUndefined();
    expect(index.isCurrent(a, 11n)).toBe(true);
  });

  test("I1: never calls a topic current that is not, through any history, and stays within its bound", () => {
    for (const maxTopics of [4, 16, 60, 100]) history(maxTopics);
  });

  function history(maxTopics: number): void {
    const random = new Prng(maxTopics);
    const index = new HeadIndex(maxTopics, RECENT_IDS);
    index.startAt([0n, 0n]);
    const heads = new Map<Topic, bigint>();
    const open: { topic: Topic; id: bigint; generation: number }[] = [];
    for (let id = 1n; id <= 3_000n; id++) {
      const topic = testTopic(GROUP, random.int(40));
      heads.set(topic, id);
      index.saw(topic, id);
      const asked = testTopic(GROUP, random.int(40));
      open.push({ topic: asked, id: heads.get(asked) ?? 0n, generation: index.generation });
      while (open.length > random.int(12)) {
        const answer = open.shift();
        if (answer !== undefined) index.learn(answer.topic, answer.id, answer.generation);
      }
      const any = testTopic(GROUP, random.int(40));
      const head = heads.get(any) ?? 0n;
      const floor = BigInt(random.int(Number(id) + 2));
      if (index.isCurrent(any, floor) === true) expect(head).toBeLessThanOrEqual(floor);
      if (index.isCurrent(any, floor) === false) expect(head).toBeGreaterThan(floor);
      expect(index.topics).toBeLessThanOrEqual(maxTopics);
    }
  }

  test("all ids of a topic are known as far back as it has room for them, and those that were there at the start", () => {
    const index = new HeadIndex(100, 6);
    const idsOf = (topic: Topic, above: bigint, upTo = 99n) => {
      const ids: number[] = [];
      index.collectIds(topic, above, upTo, ids);
      return ids;
    };
    index.startAt([10n, 0n]);
    expect(index.idsKnownAbove(GROUP)).toBe(10n);
    index.startFrom(GROUP, 6n, [
      { topic: a, ids: BigInt64Array.of(7n, 9n) },
      { topic: b, ids: BigInt64Array.of(8n, 10n) },
    ]);
    index.saw(a, 11n);
    expect(index.idsKnownAbove(GROUP)).toBe(6n);
    expect([idsOf(a, 6n), idsOf(a, 8n, 10n), idsOf(b, 8n), idsOf(c, 6n)]).toEqual([[11, 9, 7], [9], [10], []]);
    index.saw(b, 15n); // after a hole
    expect(index.idsKnownAbove(GROUP)).toBe(9n);
    expect([idsOf(a, 9n), idsOf(b, 9n)]).toEqual([[11], [15, 10]]);
    index.saw(b, 2n ** 60n); // no number holds it
    expect(index.idsKnownAbove(GROUP)).toBe(2n ** 60n);
  });

  test("I1: no id of a topic is missing above where all of them are known, through any history", () => {
    for (const maxTopics of [4, 60, 100]) for (const recentIds of [1, 16, 500, 5_000]) ids(maxTopics, recentIds);
  });

  function ids(maxTopics: number, recentIds: number): void {
    const random = new Prng(maxTopics * recentIds);
    const index = new HeadIndex(maxTopics, recentIds);
    const stored = new Map<Topic, bigint[]>();
    const head = 200n + BigInt(random.int(200));
    const store = (id: bigint) => {
      const topic = testTopic(GROUP, random.int(40));
      const before = stored.get(topic) ?? [];
      stored.delete(topic);
      stored.set(topic, [...before, id]);
      return topic;
    };
    for (let id = 1n; id <= head; id++) if (random.int(10) > 0) store(id);
    const above = BigInt(random.int(Number(head)));
    index.startAt([head, 0n]);
    const found = [...stored].map(([topic, all]) => ({
      topic,
      ids: BigInt64Array.from(all.filter((id) => id > above)),
    }));
    index.startFrom(
      GROUP,
      above,
      found.filter(({ ids }) => ids.length > 0),
    );
    for (let id = head + 1n; id <= head + 1_500n; id++) {
      if (random.int(10) > 0) index.saw(store(id), id);
      const topic = testTopic(GROUP, random.int(40));
      const from = index.idsKnownAbove(GROUP) + BigInt(random.int(20));
      const to = from + BigInt(random.int(400));
      const collected: number[] = [];
      index.collectIds(topic, from, to, collected);
      const expected = (stored.get(topic) ?? []).filter((id) => id > from && id <= to);
      expect(collected.reverse()).toEqual(expected.map(Number));
    }
    expect(index.idsKnownAbove(GROUP)).toBeLessThan(head + 1_500n);
  }
});
