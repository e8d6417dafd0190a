import { describe, expect, test } from "bun:test";
import { DEFAULT_MUTATE_LIMITS, Wanted } from "../../../src/core/connection/wanted";
import { GROUP, type Kind, type Topic, topicOf, WELCOME } from "../../../src/core/topic";

const a = topicOf(GROUP, Uint8Array.of(1));
const b = topicOf(GROUP, Uint8Array.of(2));
const w = topicOf(WELCOME, Uint8Array.of(3));

function message(kind: Kind, topic: Topic, id: bigint) {
  return { kind, topic, id };
}

function group(topic: Topic, id: bigint) {
  return message(GROUP, topic, id);
}

function wanting(...topics: readonly Topic[]): Wanted {
  const wanted = new Wanted(false);
  for (const topic of topics) wanted.add({ topic, cursor: 0n });
  return wanted;
}

function cursors(wanted: Wanted): readonly bigint[] {
  return [...wanted.cursors()].map(({ cursor }) => cursor);
}

describe("what is asked of a stream", () => {
  test("is one Mutate for what was wanted together, with ids from 1 that are never used twice", () => {
    const wanted = wanting(a, b);
    expect(wanted.nextMutate()).toEqual({
      id: 1n,
      adds: [
        { topic: a, cursor: 0n },
        { topic: b, cursor: 0n },
      ],
      removes: [],
      historyOnly: false,
    });
    expect(wanted.nextMutate()).toBeUndefined();
    wanted.remove(b);
    expect(wanted.nextMutate()).toEqual({ id: 2n, adds: [], removes: [b], historyOnly: false });
    wanted.interrupted();
    expect(wanted.nextMutate()?.id).toBe(3n);
  });

  test("is split at 1 000 topics (C-4)", () => {
    const wanted = new Wanted(false);
    for (let i = 0; i < 2_500; i++) wanted.add({ topic: topicOf(GROUP, Uint8Array.of(i >> 8, i & 255)), cursor: 0n });
    const sizes = [wanted.nextMutate(), wanted.nextMutate(), wanted.nextMutate()].map((m) => m?.adds.length);
    expect(sizes).toEqual([1_000, 1_000, 500]);
    expect(wanted.nextMutate()).toBeUndefined();
  });

  test("is split at 16 MiB, yet never holds back a topic that is larger by itself (C-4)", () => {
    expect(DEFAULT_MUTATE_LIMITS.bytes).toBe(16 * 1024 * 1024);
    const wanted = new Wanted(false, { ...DEFAULT_MUTATE_LIMITS, bytes: 1_600 });
    for (let i = 0; i < 3; i++) wanted.add({ topic: topicOf(GROUP, new Uint8Array(600).fill(i)), cursor: 0n });
    expect(wanted.nextMutate()?.adds).toHaveLength(2);
    expect(wanted.nextMutate()?.adds).toHaveLength(1);
    wanted.add({ topic: topicOf(GROUP, new Uint8Array(5_000)), cursor: 0n });
    expect(wanted.nextMutate()?.adds).toHaveLength(1);
  });

  test("keeps within the waves a node allows, while removes go out at any time (R-49)", () => {
    const wanted = new Wanted(false, { ...DEFAULT_MUTATE_LIMITS, topics: 1, waves: 2 });
    for (const topic of [a, b, w]) wanted.add({ topic, cursor: 0n });
    expect(wanted.nextMutate()?.id).toBe(1n);
    expect(wanted.nextMutate()?.id).toBe(2n);
    expect(wanted.nextMutate()).toBeUndefined();
    wanted.remove(b);
    expect(wanted.nextMutate()).toMatchObject({ id: 3n, removes: [b], adds: [] });
    expect(wanted.complete(1n)).toEqual([a]);
    expect(wanted.nextMutate()).toMatchObject({ id: 4n, adds: [{ topic: w, cursor: 0n }] });
  });

  test("says nothing of a topic that was wanted and dropped in between", () => {
    const wanted = wanting(a);
    wanted.remove(a);
    expect(wanted.nextMutate()).toBeUndefined();
    expect(cursors(wanted)).toEqual([]);
  });

  test("is no repetition of what is subscribed already: that would be a replay (R-26)", () => {
    const wanted = wanting(a);
    wanted.nextMutate();
    wanted.accept(1n, [group(a, 5n)]);
    wanted.add({ topic: a, cursor: 0n });
    wanted.add({ topic: a, cursor: 3n });
    expect(wanted.nextMutate()).toBeUndefined();
  });

  test("resets a topic that is wanted from further below, remove and add in one Mutate (R-23)", () => {
    const wanted = new Wanted(false);
    wanted.add({ topic: a, cursor: 10n });
    wanted.nextMutate();
    wanted.complete(1n);
    wanted.add({ topic: a, cursor: 4n });
    expect(wanted.nextMutate()).toEqual({
      id: 2n,
      adds: [{ topic: a, cursor: 4n }],
      removes: [a],
      historyOnly: false,
    });
    expect(wanted.accept(0n, [group(a, 11n)])).toEqual([]);
    expect(wanted.accept(2n, [group(a, 5n)])).toHaveLength(1);
  });
});

describe("what is delivered", () => {
  test("comes on the lane of the topic's wave, then live, and never twice", () => {
    const wanted = wanting(a);
    wanted.nextMutate();
    expect(wanted.accept(0n, [group(a, 1n)])).toEqual([]);
    expect(wanted.accept(9n, [group(a, 1n)])).toEqual([]);
    expect(wanted.accept(1n, [group(a, 1n), group(a, 2n)])).toHaveLength(2);
    expect(wanted.accept(1n, [group(a, 2n), group(a, 3n)])).toEqual([group(a, 3n)]);
    expect(wanted.complete(1n)).toEqual([a]);
    expect(wanted.accept(1n, [group(a, 4n)])).toEqual([]);
    expect(wanted.accept(0n, [group(a, 3n), group(a, 4n)])).toEqual([group(a, 4n)]);
  });

  test("is nothing of a removed topic, though its frames were on their way (R-25)", () => {
    const wanted = wanting(a, b);
    wanted.nextMutate();
    wanted.complete(1n);
    wanted.remove(a);
    expect(wanted.accept(0n, [group(a, 1n), group(b, 2n)])).toEqual([group(b, 2n)]);
    expect(wanted.stillWanted([a, b])).toEqual([b]);
  });

  test("of a wave that lost its topics completes with none of them", () => {
    const wanted = wanting(a);
    wanted.nextMutate();
    wanted.remove(a);
    expect(wanted.complete(1n)).toEqual([]);
    expect(wanted.complete(1n)).toBeUndefined();
    expect(wanted.complete(77n)).toBeUndefined();
  });
});

describe("after an interruption a topic is resumed", () => {
  test("from the live high-water mark of its kind, however quiet it was itself (C-3, R-16)", () => {
    const wanted = wanting(a, b, w);
    wanted.nextMutate();
    wanted.complete(1n);
    wanted.accept(0n, [group(a, 90n), message(WELCOME, w, 4n)]);
    expect(cursors(wanted)).toEqual([90n, 90n, 4n]);
    wanted.interrupted();
    expect(cursors(wanted)).toEqual([90n, 90n, 4n]);
    expect(wanted.nextMutate()?.adds.map((add) => add.cursor)).toEqual([90n, 90n, 4n]);
  });

  test("from its wave's progress while that is in flight, whatever live has reached (C-3, R-17)", () => {
    const wanted = wanting(a);
    wanted.nextMutate();
    wanted.complete(1n);
    wanted.add({ topic: b, cursor: 20n });
    wanted.add({ topic: w, cursor: 7n });
    wanted.nextMutate();
    wanted.accept(0n, [group(a, 500n)]);
    expect(cursors(wanted)).toEqual([500n, 20n, 7n]);
    wanted.accept(2n, [group(b, 30n)]);
    expect(cursors(wanted)).toEqual([500n, 30n, 7n]);
  });

  test("never from below the cursor it was added with, and another kind's mark is nothing to it", () => {
    const wanted = wanting(a);
    wanted.nextMutate();
    wanted.complete(1n);
    wanted.accept(0n, [group(a, 50n)]);
    wanted.interrupted();
    wanted.add({ topic: b, cursor: 1_000n });
    wanted.add({ topic: w, cursor: 0n });
    expect(cursors(wanted)).toEqual([50n, 1_000n, 0n]);
    wanted.nextMutate();
    wanted.complete(2n);
    wanted.accept(0n, [group(a, 60n)]);
    expect(cursors(wanted)).toEqual([60n, 1_000n, 0n]);
  });

  test("from its wave's progress when that is complete and nothing has come since (C-3)", () => {
    const wanted = wanting(a, b);
    wanted.nextMutate();
    wanted.accept(1n, [group(a, 40n)]);
    wanted.complete(1n);
    expect(cursors(wanted)).toEqual([40n, 40n]);
  });

  test("from no mark of the stream before: the next node may lag behind the last", () => {
    const wanted = wanting(a);
    wanted.nextMutate();
    wanted.complete(1n);
    wanted.accept(0n, [group(a, 50n)]);
    wanted.interrupted();
    wanted.add({ topic: b, cursor: 0n });
    wanted.nextMutate();
    wanted.complete(2n);
    expect(cursors(wanted)).toEqual([50n, 0n]);
  });

  test("and one that was to be removed is not spoken of again", () => {
    const wanted = wanting(a, b);
    wanted.nextMutate();
    wanted.remove(a);
    wanted.interrupted();
    expect(wanted.nextMutate()).toMatchObject({ removes: [], adds: [{ topic: b }] });
  });

  test("from the mark that even a message of a removed topic has raised", () => {
    const wanted = wanting(a, b);
    wanted.nextMutate();
    wanted.complete(1n);
    wanted.remove(a);
    wanted.accept(0n, [group(a, 70n)]);
    expect(wanted.cursorOf(b)).toBe(70n);
    expect(wanted.cursorOf(a)).toBeUndefined();
  });
});

test("a bounded sync asks for history only and is done with a topic when its wave is complete (C-5)", () => {
  const wanted = new Wanted(true, { ...DEFAULT_MUTATE_LIMITS, topics: 1 });
  wanted.add({ topic: a, cursor: 0n });
  wanted.add({ topic: b, cursor: 0n });
  expect(wanted.nextMutate()?.historyOnly).toBe(true);
  wanted.nextMutate();
  wanted.accept(2n, [group(b, 3n)]);
  expect(wanted.complete(1n)).toEqual([a]);
  expect(wanted.settled).toBe(false);
  wanted.interrupted();
  expect(wanted.nextMutate()).toMatchObject({ adds: [{ topic: b, cursor: 3n }] });
  wanted.complete(3n);
  expect(wanted.settled).toBe(true);
  expect(cursors(wanted)).toEqual([0n, 3n]);
});
