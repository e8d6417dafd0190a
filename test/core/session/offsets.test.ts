import { describe, expect, test } from "bun:test";
import { OffsetQueue } from "../../../src/core/session/offsets";

const of = (...offsets: number[]) => {
  const queue = new OffsetQueue(1_000);
  for (const offset of offsets) queue.push(offset);
  return queue;
};

const drained = (queue: OffsetQueue) => {
  const all: number[] = [];
  for (let offset = queue.first; offset !== undefined; offset = queue.first) {
    all.push(offset);
    queue.shift();
  }
  return all;
};

describe("a queue of offsets", () => {
  test("gives back what was pushed, in order, over any mix of pushes and shifts", () => {
    const queue = new OffsetQueue(300);
    const found: number[] = [];
    let next = 1;
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < round % 7; i++) if (queue.push(next)) next++;
      for (let i = 0; i < round % 5 && queue.first !== undefined; i++) {
        found.push(queue.first);
        queue.shift();
      }
    }
    found.push(...drained(queue));
    expect(found).toEqual(Array.from({ length: next - 1 }, (_, at) => at + 1));
  });

  test("refuses what is too much and keeps what it has (I11)", () => {
    const queue = new OffsetQueue(2);
    expect([queue.push(1), queue.push(2), queue.push(3)]).toEqual([true, true, false]);
    queue.shift();
    expect([queue.push(4), drained(queue)]).toEqual([true, [2, 4]]);
  });

  test("merges another queue by offset, however they interleave (R-16)", () => {
    const queue = of(2, 5, 9);
    queue.shift();
    expect(queue.merge(of(1, 6, 12))).toBe(true);
    expect(drained(queue)).toEqual([1, 5, 6, 9, 12]);
  });

  test("takes in all of another queue or nothing", () => {
    const queue = new OffsetQueue(3);
    queue.push(2);
    queue.push(4);
    expect(queue.merge(of(1, 3))).toBe(false);
    expect(drained(queue)).toEqual([2, 4]);
  });
});
