import { describe, expect, test } from "bun:test";
import type { Message } from "../../src/core/message";
import { Tail } from "../../src/core/tail";
import { GROUP, type Kind, type Topic, WELCOME } from "../../src/core/topic";
import { testTopic } from "../support/memory-store";
import { Prng } from "../support/prng";

function message(kind: Kind, id: bigint, topic: Topic = testTopic(kind, 1), bytes = 10): Message {
  return { kind, id, topic, entry: new Uint8Array(bytes) };
}

describe("the tail", () => {
  test("gives offsets 1, 2, 3 … and what stands at them, whatever the kind", () => {
    const tail = new Tail({ maxRows: 10, maxBytes: 1_000 });
    expect(tail.head).toBe(0);
    expect(tail.get(0)).toBeUndefined();
    const first = message(WELCOME, 1n);
    const second = message(GROUP, 1n);
    expect([tail.append(first), tail.append(second)]).toEqual([1, 2]);
    expect(tail.get(1)).toBe(first);
    expect(tail.get(2)).toBe(second);
    expect(tail.get(3)).toBeUndefined();
    expect(tail.headIds).toEqual([1n, 1n]);
  });

  test("I2, I3: refuses an id that is not above its kind's head, and stays as it was", () => {
    const tail = new Tail({ maxRows: 10, maxBytes: 1_000 });
    tail.startAt([5n, 0n]);
    expect(() => tail.append(message(GROUP, 5n))).toThrow("ids must ascend");
    tail.append(message(WELCOME, 1n));
    tail.append(message(GROUP, 6n));
    expect(() => tail.append(message(GROUP, 6n))).toThrow("kind 0 stands at 6, got 6");
    expect([tail.head, tail.rows, tail.headIds]).toEqual([2, 2, [6n, 1n]]);
  });

  test("hands out head ids that do not change under whoever holds them", () => {
    const tail = new Tail({ maxRows: 10, maxBytes: 1_000 });
    const before = tail.headIds;
    tail.append(message(GROUP, 1n));
    expect(before).toEqual([0n, 0n]);
  });

  test("I11: keeps a bounded number of messages, the oldest leave first", () => {
    const tail = new Tail({ maxRows: 3, maxBytes: 1_000 });
    for (let id = 1n; id <= 5n; id++) tail.append(message(GROUP, id));
    expect([1, 2, 3, 4, 5].map((offset) => tail.get(offset)?.id)).toEqual([undefined, undefined, 3n, 4n, 5n]);
    expect([tail.rows, tail.bytes]).toEqual([3, 30]);
    expect(tail.keptAbove).toEqual([2n, 0n]);
  });

  test("I11: keeps a bounded number of bytes, but always the newest message", () => {
    const tail = new Tail({ maxRows: 10, maxBytes: 100 });
    for (let id = 1n; id <= 3n; id++) tail.append(message(GROUP, id, testTopic(GROUP, 1), 40));
    expect([tail.rows, tail.bytes]).toEqual([2, 80]);
    tail.append(message(GROUP, 4n, testTopic(GROUP, 1), 500));
    expect([tail.rows, tail.bytes, tail.get(4)?.id]).toEqual([1, 500, 4n]);
    tail.append(message(GROUP, 5n));
    expect([tail.rows, tail.bytes, tail.get(4)]).toEqual([1, 10, undefined]);
  });

  test("keeps beside each message what is known of its topic before it", () => {
    const tail = new Tail({ maxRows: 2, maxBytes: 1_000 });
    tail.append(message(GROUP, 7n));
    tail.append(message(GROUP, 8n), 3n);
    expect([tail.nothingAbove(1), tail.nothingAbove(2), tail.nothingAbove(3)]).toEqual([6n, 3n, 0n]);
    tail.append(message(GROUP, 9n), 4n);
    expect([tail.nothingAbove(1), tail.nothingAbove(2), tail.nothingAbove(3)]).toEqual([0n, 3n, 4n]);
  });

  test("starts above what the store has, and only while it is empty", () => {
    const tail = new Tail({ maxRows: 3, maxBytes: 100 });
    tail.startAt([7n, 9n]);
    expect([tail.headIds, tail.keptAbove]).toEqual([
      [7n, 9n],
      [7n, 9n],
    ]);
    tail.append(message(GROUP, 8n));
    expect(() => tail.startAt([8n, 9n])).toThrow("cannot start anew");
    expect(() => new Tail({ maxRows: 0, maxBytes: 1 })).toThrow("at least 1 message");
  });

  test("finds what a topic has in it, and everything above keptAbove is in it, through any history", () => {
    const random = new Prng(11);
    const tail = new Tail({ maxRows: 16, maxBytes: 300 });
    const all: Message[] = [];
    const next: [bigint, bigint] = [1n, 1n];
    for (let step = 0; step < 2_000; step++) {
      const kind = random.pick<Kind>([GROUP, WELCOME]);
      all.push(message(kind, next[kind], testTopic(kind, random.int(5)), random.between(1, 60)));
      next[kind] += 1n;
      expect(tail.append(all[step] ?? message(kind, 0n))).toBe(step + 1);
      const kept = all.slice(step + 1 - tail.rows);
      expect(tail.bytes).toBe(kept.reduce((sum, { entry }) => sum + entry.byteLength, 0));
      const due = all.filter(({ kind, id }) => id > tail.keptAbove[kind]);
      expect(due.length).toBe(kept.length);
      const topic = testTopic(kind, random.int(5));
      expect(chainOf(tail, topic)).toEqual(kept.filter((m) => m.topic === topic).map(({ id }) => id));
    }
  });
});

/** Ids of a topic's messages in the tail, ascending, as the chain gives them. */
function chainOf(tail: Tail, topic: Topic): readonly bigint[] {
  const ids: bigint[] = [];
  for (let offset = tail.newestOf(topic); offset !== 0; offset = tail.previousOf(offset)) {
    ids.unshift(tail.get(offset)?.id ?? -1n);
  }
  return ids;
}
