import { expect, test } from "bun:test";
import { intervalOf, Watchdog } from "../../../src/core/connection/watchdog";

function watch(): Watchdog {
  return new Watchdog({ intervalMs: 100, probeMs: 30 }, 0);
}

test("silence is asked about after two intervals and the end after three (C-2)", () => {
  const watchdog = watch();
  expect(watchdog.deadline).toBe(200);
  expect(watchdog.wake(199)).toBeUndefined();
  expect(watchdog.wake(200)).toBe("ask");
  expect(watchdog.deadline).toBe(300);
  expect(watchdog.wake(299)).toBeUndefined();
  expect(watchdog.wake(300)).toBe("giveUp");
});

test("any frame ends the silence, also when it has been asked about (C-2)", () => {
  const watchdog = watch();
  watchdog.heard(150);
  expect(watchdog.deadline).toBe(350);
  expect(watchdog.wake(350)).toBe("ask");
  watchdog.heard(440);
  expect(watchdog.wake(450)).toBeUndefined();
  expect(watchdog.deadline).toBe(640);
});

test("a probe is answered by its own Pong alone, and its failure replaces the stream at once (C-6)", () => {
  const watchdog = watch();
  watchdog.probe(7n, 50);
  watchdog.heard(60);
  watchdog.pong(6n, 61);
  expect(watchdog.deadline).toBe(80);
  watchdog.pong(7n, 79);
  expect(watchdog.deadline).toBe(279);
  watchdog.probe(8n, 300);
  expect(watchdog.wake(330)).toBe("replace");
});

test("while nothing is read, silence means nothing", () => {
  const watchdog = watch();
  watchdog.pause();
  watchdog.probe(1n, 10);
  watchdog.heard(20);
  expect(watchdog.deadline).toBeUndefined();
  expect(watchdog.wake(10_000)).toBeUndefined();
  watchdog.unpause(10_000);
  expect(watchdog.deadline).toBe(10_200);
});

test("a cadence that makes no sense is replaced by the nearest that does (R-2)", () => {
  expect([0, 1, 100, 30_000, 4_000_000_000].map(intervalOf)).toEqual([30_000, 100, 100, 30_000, 30_000]);
});
