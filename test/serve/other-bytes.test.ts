import { describe, expect, test } from "bun:test";
import { OtherBytes } from "../../src/serve/h2/other-bytes";

const MiB = 1024 * 1024;
const WINDOW_BYTES = MiB;

describe("bytes that no request explains", () => {
  test("requests that wait to be read are none, however often they are looked at", () => {
    const others = new OtherBytes(WINDOW_BYTES);
    let toldBytes = 0;
    for (let look = 1; look <= 100; look++) {
      const requestBytes = look * 10 * MiB;
      const waitingBytes = look % 2 === 0 ? WINDOW_BYTES : 0;
      toldBytes += others.more({ bytes: requestBytes + waitingBytes, requestBytes, calls: 1 });
    }
    expect(toldBytes).toBe(0);
  });

  test("the heads of the frames around large requests are none", () => {
    const others = new OtherBytes(WINDOW_BYTES);
    const requestBytes = 100_000 * MiB;
    const frameBytes = (requestBytes / (16 * 1024)) * 9;
    expect(others.more({ bytes: requestBytes + frameBytes, requestBytes, calls: 1 })).toBe(0);
  });

  test("the headers of calls are none", () => {
    const others = new OtherBytes(WINDOW_BYTES);
    expect(others.more({ bytes: 5_000_000, requestBytes: 0, calls: 1_000 })).toBe(0);
  });

  test("all else is told once, beyond what may be waiting", () => {
    const others = new OtherBytes(WINDOW_BYTES);
    expect(others.more({ bytes: WINDOW_BYTES + 5, requestBytes: 0, calls: 0 })).toBe(5);
    expect(others.more({ bytes: WINDOW_BYTES + 5, requestBytes: 0, calls: 0 })).toBe(0);
    expect(others.more({ bytes: WINDOW_BYTES + 12, requestBytes: 0, calls: 0 })).toBe(7);
  });

  test("a request that is read later does not pay for a flood", () => {
    const others = new OtherBytes(WINDOW_BYTES);
    let toldBytes = others.more({ bytes: WINDOW_BYTES, requestBytes: 0, calls: 0 });
    toldBytes += others.more({ bytes: WINDOW_BYTES + 3 * MiB, requestBytes: WINDOW_BYTES, calls: 0 });
    expect(toldBytes).toBeGreaterThan(1.99 * MiB);
  });
});
