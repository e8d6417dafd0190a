import { expect, test } from "bun:test";
import { Alarms } from "../../src/base/alarms";
import { VirtualClock } from "../support/virtual-clock";

/** Alarms with a grain of 250 ms, and sleepers that note when they were woken. */
function rig(startMs = 0) {
  const clock = new VirtualClock(startMs);
  const alarms = new Alarms(clock, 250);
  const woken: [string, number][] = [];
  const sleeper = (name: string, then = () => {}) => ({
    onAlarm: () => {
      woken.push([name, clock.now()]);
      then();
    },
  });
  return { clock, alarms, woken, sleeper };
}

test("a sleeper is woken once, never early and at most a grain late", () => {
  for (const startMs of [0, 0.25, 17.3, 249.9]) {
    for (const waitMs of [0, 1, 250, 251, 30_000]) {
      const { clock, alarms, woken, sleeper } = rig(startMs);
      alarms.set(sleeper("a"), startMs + waitMs);
      clock.advance(100_000);
      expect(woken.length).toBe(1);
      const lateMs = (woken[0]?.[1] ?? 0) - startMs - waitMs;
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThan(250);
    }
  }
});

test("however many sleep, there is one timer, and none when nobody does", () => {
  const { clock, alarms, sleeper } = rig();
  const all = Array.from({ length: 100 }, (_, n) => ({ sleeper: sleeper(`${n}`), at: 30_000 - n * 100 }));
  const set = all.map(({ sleeper, at }) => ({ sleeper, grain: alarms.set(sleeper, at) }));
  expect(clock.armed).toBe(1);
  for (const { sleeper, grain } of set) alarms.cancel(sleeper, grain);
  expect(clock.armed).toBe(0);
});

test("those of one grain are woken together, those of an earlier one before them", () => {
  const { clock, alarms, woken, sleeper } = rig();
  alarms.set(sleeper("late"), 600);
  alarms.set(sleeper("b"), 260);
  alarms.set(sleeper("c"), 490);
  clock.advance(10_000);
  expect(woken).toEqual([
    ["b", 500],
    ["c", 500],
    ["late", 750],
  ]);
});

test("who is cancelled sleeps on, even by one that is woken at the same time", () => {
  const { clock, alarms, woken, sleeper } = rig();
  const early = sleeper("early");
  alarms.cancel(early, alarms.set(early, 100));
  const other = sleeper("other");
  alarms.set(
    sleeper("canceller", () => alarms.cancel(other, 2)),
    400,
  );
  expect(alarms.set(other, 500)).toBe(2);
  clock.advance(1_000);
  expect(woken).toEqual([["canceller", 500]]);
  expect(clock.armed).toBe(0);
});

test("a sleeper may ask to be woken again while it is woken", () => {
  const { clock, alarms, woken, sleeper } = rig();
  const again = sleeper("again", () => {
    if (woken.length < 3) alarms.set(again, clock.now() + 250);
  });
  alarms.set(again, 250);
  clock.advance(10_000);
  expect(woken.map(([, at]) => at)).toEqual([250, 500, 750]);
});
