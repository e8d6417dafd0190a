import { expect, test } from "bun:test";
import { Backoff } from "../../../src/core/connection/backoff";

test("waits are anywhere below a bound that doubles from 100 ms to 30 s (C-6)", () => {
  const backoff = new Backoff();
  const nearBound = 0.999;
  const waits = Array.from({ length: 12 }, () => backoff.next(0, nearBound) / nearBound);
  expect(waits.map(Math.round)).toEqual([
    100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000,
  ]);
  expect(backoff.next(0, 0)).toBe(0);
  expect(backoff.next(0, 0.5)).toBe(15_000);
});

test("only a stream that lived for 10 s makes the next wait a first one again (C-6)", () => {
  const backoff = new Backoff();
  for (let i = 0; i < 5; i++) backoff.next(0, 0.5);
  expect(backoff.next(9_999, 0.5)).toBe(1_600);
  expect(backoff.next(10_000, 0.5)).toBe(50);
  expect(backoff.next(0, 0.5)).toBe(100);
});

test("a node that has been down for a year does not overflow the wait", () => {
  const backoff = new Backoff();
  for (let i = 0; i < 2_000; i++) backoff.next(0, 0.5);
  expect(backoff.next(0, 0.5)).toBe(15_000);
});
