import { describe, expect, test } from "bun:test";
import { Liveness } from "../../src/core/liveness";

const make = (firstNonce = 1n) => new Liveness({ idleMs: 100, pongMs: 50, firstNonce }, 0);

describe("liveness", () => {
  test("asks exactly when nothing was sent for the interval, not before (R-42)", () => {
    const live = make();
    expect(live.askAt).toBe(100);
    expect(live.ask(99)).toBeUndefined();
    expect(live.ask(100)).toBe(1n);
  });

  test("any sent frame postpones the next Ping (R-42)", () => {
    const live = make();
    live.sent(70);
    expect(live.askAt).toBe(170);
    expect(live.ask(169)).toBeUndefined();
  });

  test("a Ping that leaves late counts its Pong from then on (R-43)", () => {
    const live = make();
    expect(live.ask(130)).toBe(1n);
    expect(live.reapAt).toBe(180);
  });

  test("outbound traffic cannot save a peer that does not answer (R-43)", () => {
    const live = make();
    live.ask(100);
    live.sent(120);
    expect(live.isGone(149)).toBe(false);
    expect(live.isGone(150)).toBe(true);
  });

  test("only the matching Pong disarms the reaper (R-43)", () => {
    const live = make();
    live.ask(100);
    live.pong(2n);
    expect(live.isGone(150)).toBe(true);
    live.pong(1n);
    expect(live.isGone(150)).toBe(false);
  });

  test("a late Pong of an earlier Ping does not answer the present one (R-43)", () => {
    const live = make();
    live.ask(100);
    live.pong(1n);
    expect(live.ask(200)).toBe(2n);
    live.pong(1n);
    expect(live.isGone(250)).toBe(true);
  });

  test("a Pong that is handled late still counts, because only a question about it reaps (R-43)", () => {
    const live = make();
    live.ask(100);
    live.pong(1n);
    expect(live.isGone(1_000)).toBe(false);
  });

  test("at most one Ping is out (I10)", () => {
    const live = make();
    live.ask(100);
    expect(live.askAt).toBeUndefined();
    expect(live.ask(1_000)).toBeUndefined();
  });

  test("nonces ascend and wrap at 64 bits", () => {
    const live = make((1n << 64n) - 1n);
    expect(live.ask(100)).toBe((1n << 64n) - 1n);
    live.pong((1n << 64n) - 1n);
    expect(live.ask(200)).toBe(0n);
  });

  test("once stopped it neither asks nor reaps (R-45)", () => {
    const live = make();
    live.ask(100);
    live.stop();
    expect([live.askAt, live.reapAt, live.isGone(1_000), live.ask(1_000)]).toEqual([
      undefined,
      undefined,
      false,
      undefined,
    ]);
  });
});
