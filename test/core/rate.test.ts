import { describe, expect, test } from "bun:test";
import { TokenBucket } from "../../src/core/rate";

const takeAll = (bucket: TokenBucket, now: number) => {
  let taken = 0;
  while (bucket.take(now)) taken++;
  return taken;
};

describe("a token bucket", () => {
  test("gives its burst at once and no more (R-49)", () => {
    expect(takeAll(new TokenBucket(10, 3, 0), 0)).toBe(3);
  });

  test("refills at its rate, fractions included (R-49)", () => {
    const bucket = new TokenBucket(10, 3, 0);
    takeAll(bucket, 0);
    expect(bucket.take(99)).toBe(false);
    expect(bucket.take(100)).toBe(true);
    expect(bucket.take(199)).toBe(false);
    expect(bucket.take(200)).toBe(true);
  });

  test("never holds more than its burst (R-49)", () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect(takeAll(bucket, 1_000_000)).toBe(3);
  });

  test("gives nothing for a clock that went back", () => {
    const bucket = new TokenBucket(10, 1, 1_000);
    takeAll(bucket, 1_000);
    expect(bucket.take(0)).toBe(false);
  });
});
