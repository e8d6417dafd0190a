import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { RunningClock } from "./running-clock";

test("a process that stood still for long has lost a tick or two", async () => {
  using clock = new RunningClock();
  const standsStill = (ms: number) => {
    for (const until = systemClock.now() + ms; systemClock.now() < until; );
  };
  let rang = false;
  clock.after(100, () => {
    rang = true;
  });
  standsStill(150);
  await systemClock.sleep(15);
  expect(rang).toBe(false);
  expect(clock.now()).toBeLessThanOrEqual(50);
  await clock.sleep(100);
  expect(rang).toBe(true);
});

test("timers fire in the order of their times, one that was disposed of does not, and an aborted sleep rejects", async () => {
  using clock = new RunningClock();
  const rang: number[] = [];
  clock.after(19, () => rang.push(19));
  clock.after(13, () => rang.push(13));
  clock.after(15, () => rang.push(15))[Symbol.dispose]();
  const stop = new AbortController();
  const sleep = clock.sleep(1_000, stop.signal).catch((reason: unknown) => reason);
  stop.abort("enough");
  await clock.sleep(30);
  expect(rang).toEqual([13, 19]);
  expect(await sleep).toBe("enough");
});
