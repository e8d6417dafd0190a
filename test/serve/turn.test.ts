import { describe, expect, test } from "bun:test";
import { Turns } from "../../src/serve/stream/turn";

/** Turns that a test makes happen. */
function manual() {
  const waiting: (() => void)[] = [];
  const errors: unknown[] = [];
  const turns = new Turns(
    (error) => errors.push(error),
    (callback) => waiting.push(callback),
  );
  const next = () => {
    for (const callback of waiting.splice(0)) callback();
  };
  return { turns, errors, waiting, next };
}

describe("turns", () => {
  test("a task is done once a turn, however often it was marked", () => {
    const { turns, next, waiting } = manual();
    let done = 0;
    const slot = turns.group().slot(() => done++);
    for (let n = 0; n < 5; n++) slot.mark();
    expect(done).toBe(0);
    expect(waiting.length).toBe(1);
    next();
    next();
    expect(done).toBe(1);
    slot.mark();
    next();
    expect(done).toBe(2);
  });

  test("tasks of one group are done in a row, whatever the order in which they were marked", () => {
    const { turns, next } = manual();
    const done: string[] = [];
    const groups = [turns.group(), turns.group(), turns.group()];
    const slots = groups.map((group, g) => [0, 1].map((n) => group.slot(() => done.push(`${g}${n}`))));
    for (const n of [0, 1]) for (const ofGroup of slots) ofGroup[n]?.mark();
    next();
    expect(done).toEqual(["00", "01", "10", "11", "20", "21"]);
  });

  test("a task that is marked while tasks are done waits for the next turn, itself included", () => {
    const { turns, next } = manual();
    const group = turns.group();
    let done = 0;
    const slot = group.slot(() => {
      done++;
      slot.mark();
    });
    slot.mark();
    next();
    expect(done).toBe(1);
    next();
    next();
    expect(done).toBe(3);
  });

  test("a task that throws harms none of the others", () => {
    const { turns, next, errors } = manual();
    const group = turns.group();
    const done: number[] = [];
    group
      .slot(() => {
        throw new Error("mine");
      })
      .mark();
    group.slot(() => done.push(1)).mark();
    turns
      .group()
      .slot(() => done.push(2))
      .mark();
    next();
    expect(done).toEqual([1, 2]);
    expect(errors.map(String)).toEqual(["Error: mine"]);
  });

  test("R-43: after input is two turns later, because the next may come before the sockets are read", () => {
    const { turns, next } = manual();
    let called = false;
    turns.afterInput(() => {
      called = true;
    });
    next();
    expect(called).toBe(false);
    next();
    expect(called).toBe(true);
  });

  test("R-43: what waits for input in one go waits together, what is asked for later waits two turns as well", async () => {
    const { turns, next, waiting, errors } = manual();
    const called: string[] = [];
    turns.afterInput(() => called.push("a"));
    turns.afterInput(() => {
      throw new Error("mine");
    });
    turns.afterInput(() => called.push("b"));
    await Promise.resolve();
    expect(waiting.length).toBe(1);
    turns.afterInput(() => called.push("c"));
    await Promise.resolve();
    next();
    turns.afterInput(() => called.push("d"));
    next();
    expect(called).toEqual(["a", "b", "c"]);
    expect(errors.map(String)).toEqual(["Error: mine"]);
    next();
    expect(called).toEqual(["a", "b", "c", "d"]);
  });
});
