import { expect, test } from "bun:test";
import { VirtualClock } from "./virtual-clock";

test("timers fire in the order of their times, also those that a timer made", () => {
  const clock = new VirtualClock(10);
  const fired: string[] = [];
  clock.after(20, () => fired.push(`late ${clock.now()}`));
  clock.after(5, () => {
    fired.push(`early ${clock.now()}`);
    clock.after(5, () => fired.push(`nested ${clock.now()}`));
  });
  clock.after(5, () => fired.push("second of its time"))[Symbol.dispose]();
  clock.advance(15);
  expect(fired).toEqual(["early 15", "nested 20"]);
  expect(clock.armed).toBe(1);
  clock.advance(5);
  expect(fired).toEqual(["early 15", "nested 20", "late 30"]);
  expect(clock.nextAt).toBeUndefined();
});

test("a sleep ends when its time has come, and rejects at once when its signal aborts", async () => {
  const clock = new VirtualClock();
  let woken = 0;
  const sleeping = clock.sleep(100).then(() => clock.sleep(50));
  const done = sleeping.then(() => woken++);
  await clock.advanceAsync(149);
  expect(woken).toBe(0);
  await clock.advanceAsync(1);
  await done;
  const stop = new AbortController();
  const aborted = clock.sleep(1_000, stop.signal);
  stop.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  expect(clock.armed).toBe(0);
});

test("a timer that arms itself again for the same moment is a failure, not a hang", () => {
  const clock = new VirtualClock();
  const spin = () => void clock.after(0, spin);
  spin();
  expect(() => clock.advance(1)).toThrow("time stands still at 0 ms");
});
