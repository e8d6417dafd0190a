import { expect, test } from "bun:test";
import { WorkTurns } from "../../src/serve/api/work-turns";

test("one piece of work is done a turn, in the order of asking", async () => {
  const waiting: (() => void)[] = [];
  const turns = new WorkTurns({ sleep: () => new Promise((resolve) => waiting.push(resolve)) });
  const done: string[] = [];
  const work = ["a", "b", "c"].map(async (name) => {
    for (const piece of [1, 2]) {
      await turns.next();
      done.push(`${name}${piece}`);
    }
  });
  const orders: number[] = [];
  for (let turn = 0; turn < 6; turn++) {
    // All that can happen without time happens before the turn comes.
    for (let n = 0; n < 20; n++) await Promise.resolve();
    expect(waiting).toHaveLength(1);
    waiting.shift()?.();
    for (let n = 0; n < 20; n++) await Promise.resolve();
    orders.push(done.length);
  }
  await Promise.all(work);
  expect(orders).toEqual([1, 2, 3, 4, 5, 6]);
  expect(done).toEqual(["a1", "b1", "c1", "a2", "b2", "c2"]);
});
