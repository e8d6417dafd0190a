import { describe, expect, test } from "bun:test";
import { inspect } from "node:util";
import {
  bytes,
  chainUrls,
  cursor,
  databaseUrl,
  durationOrForever,
  integer,
  listenAddress,
  listenAddressOrOff,
  nodeAddress,
  perSecond,
  revealChainUrls,
} from "../../src/base/args-values";

describe("numbers", () => {
  test("are whole and within their bounds", () => {
    const kind = integer("ms", 100, 30_000);
    expect(kind.parse("100")).toEqual({ value: 100 });
    expect(kind.parse("30000")).toEqual({ value: 30_000 });
    for (const text of ["99", "30001", "1e3", "100.5", "-100", "", " 100", "0x64"]) {
      expect(kind.parse(text)).toBeUndefined();
    }
  });

  test("of bytes may carry a unit, and are shown with the largest that fits", () => {
    const kind = bytes(0, 2 ** 40);
    expect(kind.parse("3MiB")).toEqual({ value: 3 * 1024 ** 2 });
    expect(kind.parse("512")).toEqual({ value: 512 });
    for (const text of ["3MB", "3 MiB", "MiB", "-1KiB", "3constructor"]) expect(kind.parse(text)).toBeUndefined();
    expect(kind.show(3 * 1024 ** 2)).toBe("3MiB");
    expect(kind.show(1500)).toBe("1500");
    expect(kind.show(0)).toBe("0");
  });

  test("of time carry a unit, are shown with the largest that fits, and may be none", () => {
    const kind = durationOrForever(10_000, 365 * 86_400_000);
    expect(kind.parse("90s")).toEqual({ value: 90_000 });
    expect(kind.parse("30d")).toEqual({ value: 30 * 86_400_000 });
    expect(kind.parse("forever")).toEqual({ value: undefined });
    for (const text of ["30", "9s", "366d", "1.5h", "-1d", "0", "", "7D", "3constructor"]) {
      expect(kind.parse(text)).toBeUndefined();
    }
    expect([90_000, 36 * 3_600_000, 86_400_000, undefined].map(kind.show)).toEqual(["90s", "36h", "1d", "forever"]);
    expect(kind.wanted).toContain("from 10s to 365d");
  });

  test("per second may be broken, and are above 0", () => {
    expect(perSecond.parse("50/s")).toEqual({ value: 50 });
    expect(perSecond.parse("0.5")).toEqual({ value: 0.5 });
    for (const text of ["0", "-1", "50/min", "2000000"]) expect(perSecond.parse(text)).toBeUndefined();
  });

  test("of cursors reach as far as the largest id, 2^63 - 1", () => {
    expect(cursor.parse("9223372036854775807")).toEqual({ value: (1n << 63n) - 1n });
    expect(cursor.parse("9223372036854775808")).toBeUndefined();
    expect(cursor.parse("0")).toEqual({ value: 0n });
    expect(cursor.parse("-1")).toBeUndefined();
  });
});

describe("addresses", () => {
  test("to listen at are host and port, IPv6 in brackets, port 0 allowed", () => {
    expect(listenAddress.parse("127.0.0.1:0")).toEqual({ value: { host: "127.0.0.1", port: 0 } });
    expect(listenAddress.parse("[::1]:5556")).toEqual({ value: { host: "::1", port: 5556 } });
    for (const text of ["5556", ":5556", "::1:5556", "host:65536", "host:", "http://host:1", "off"]) {
      expect(listenAddress.parse(text)).toBeUndefined();
    }
    expect(listenAddress.show({ host: "::1", port: 1 })).toBe("[::1]:1");
  });

  test("that may be off say so", () => {
    expect(listenAddressOrOff.parse("off")).toEqual({ value: undefined });
    expect(listenAddressOrOff.show(undefined)).toBe("off");
    expect(listenAddressOrOff.parse("localhost:1")).toEqual({ value: { host: "localhost", port: 1 } });
  });

  test("of a node get a scheme and lose a trailing slash", () => {
    expect(nodeAddress.parse("127.0.0.1:5556")).toEqual({ value: "http://127.0.0.1:5556" });
    expect(nodeAddress.parse("https://node.example/")).toEqual({ value: "https://node.example" });
    for (const text of ["", "http://h/path", "http://u:p@h", "ftp://h", "a b"]) {
      expect(nodeAddress.parse(text)).toBeUndefined();
    }
  });
});

test("a database URL may lead to a unix socket, without a host", () => {
  const url = "postgres://postgres@/postgres?host=%2Fvar%2Frun%2Fpostgresql&port=5432";
  expect(databaseUrl.parse(url)?.value?.reveal()).toBe(url);
  expect(`${databaseUrl.parse(url)?.value}`).toBe("postgres:///postgres");
});

test("a database URL shows neither user nor password, however it is printed", () => {
  const url = "postgres://someone:hunter2@db.example:5432/tide";
  const secret = databaseUrl.parse(url)?.value;
  expect(secret?.reveal()).toBe(url);
  const printed = [`${secret}`, JSON.stringify({ secret }), inspect({ secret }), Bun.inspect({ secret })].join(" ");
  expect(printed).toContain("postgres://db.example:5432/tide");
  expect(printed).not.toContain("hunter2");
  expect(printed).not.toContain("someone");
  expect(databaseUrl.parse("mysql://h/d")).toBeUndefined();
  expect(`${databaseUrl.parse("postgres://u:sec/ret@h/d")?.value}`).not.toContain("sec");
  expect(databaseUrl.parse("")).toEqual({ value: undefined });
});

test("chains and their URLs are read, each chain once, and no URL is ever shown", () => {
  const text = "1=https://eth.example/v2/key?a=1,2, 8453=http://127.0.0.1:8545";
  const value = chainUrls.parse(text)?.value;
  expect([...(value ?? [])].map(([chain, url]) => [chain, url.reveal()])).toEqual([
    [1n, "https://eth.example/v2/key?a=1,2"],
    [8453n, "http://127.0.0.1:8545"],
  ]);
  expect(value && chainUrls.show(value)).toBe("1=…,8453=…");
  expect(value && chainUrls.parse(revealChainUrls(value))?.value).toEqual(value);
  expect(Bun.inspect(value)).not.toContain("key");
  expect(chainUrls.parse("")?.value).toEqual(new Map());
  for (const wrong of [
    "https://h",
    "1",
    "1=",
    "1=ftp://h",
    "x=https://h",
    "1=https://a,1=https://b",
    "1=https://a b",
  ]) {
    expect(chainUrls.parse(wrong)).toBeUndefined();
  }
});
