import { expect, test } from "bun:test";
import { AwakeClock } from "../../src/client/awake-clock";
import { VirtualClock } from "../support/virtual-clock";

class TwoClocks extends VirtualClock {
  aheadMs = 0;
  override wallNs(): bigint {
    return super.wallNs() + BigInt(this.aheadMs) * 1_000_000n;
  }
}

test("time that the machine slept through counts, once (C-2)", () => {
  const clocks = new TwoClocks(100);
  const awake = new AwakeClock(clocks);
  clocks.advance(50);
  expect(awake.now()).toBe(150);
  expect(awake.takeSlept()).toBe(false);
  clocks.aheadMs = 60_000;
  expect(awake.now()).toBe(60_150);
  expect(awake.takeSlept()).toBe(true);
  expect(awake.takeSlept()).toBe(false);
  clocks.advance(10);
  expect(awake.now()).toBe(60_160);
});

test("a wall clock that is corrected a little, or set back, changes nothing", () => {
  const clocks = new TwoClocks(0);
  const awake = new AwakeClock(clocks);
  for (const aheadMs of [1_500, 3_000, -86_400_000, -86_399_000]) {
    clocks.aheadMs = aheadMs;
    expect(awake.now()).toBe(0);
  }
  expect(awake.takeSlept()).toBe(false);
});
