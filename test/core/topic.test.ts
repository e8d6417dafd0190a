import { describe, expect, test } from "bun:test";
import { GROUP, isTopic, kindOf, topicBytes, topicOf, WELCOME } from "../../src/core/topic";

describe("a topic", () => {
  test("is a known kind byte and at least one byte of identifier (R-6)", () => {
    expect([isTopic("\0a"), isTopic("\x01a")]).toEqual([true, true]);
    expect([isTopic(""), isTopic("\0"), isTopic("\x01"), isTopic("\x02a"), isTopic("\xffa")]).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  test("keeps every byte of its identifier on the way there and back", () => {
    const identifier = Uint8Array.from({ length: 256 }, (_, at) => at);
    const topic = topicOf(WELCOME, identifier);
    expect(kindOf(topic)).toBe(WELCOME);
    expect([...topicBytes(topic)]).toEqual([WELCOME, ...identifier]);
  });

  test("knows its kind", () => {
    expect(kindOf(topicOf(GROUP, Uint8Array.of(1)))).toBe(GROUP);
  });

  test("is not made of an empty identifier: that is our own fault", () => {
    expect(() => topicOf(GROUP, new Uint8Array())).toThrow(RangeError);
  });
});
