import { expect, test } from "bun:test";
import { identifier, parseTopic, showIdentifier, showTopic } from "../../src/cli/identifiers";
import { GROUP, topicOf, WELCOME } from "../../src/core/topic";

test("an identifier is text, or hex behind 0x", () => {
  expect(identifier.parse("demo")?.value).toEqual(Buffer.from("demo"));
  expect(identifier.parse("0x64656D6f")?.value).toEqual(Buffer.from("demo"));
  expect(identifier.parse("grüße")?.value).toEqual(Buffer.from("grüße"));
  expect(identifier.parse("beef")?.value).toEqual(Buffer.from("beef"));
});

test("what might be meant as either, or is neither, is refused", () => {
  for (const text of ["", "0x", "0xabc", "0xzz", "00112233445566778899aabbccddeeff", "x".repeat(1_024)]) {
    expect(identifier.parse(text)).toBeUndefined();
  }
});

test("what is shown reads back as the same bytes", () => {
  const samples = ["demo", "grüße", "0xab", "two words", "00112233445566778899", "\u0000\u0001", "tab\tbed"];
  for (const bytes of [...samples.map((text) => Buffer.from(text)), Buffer.from([255, 254]), Buffer.from([0])]) {
    expect(Buffer.from(identifier.parse(showIdentifier(bytes))?.value ?? [])).toEqual(bytes);
  }
  expect(showIdentifier(Buffer.from("demo"))).toBe("demo");
  expect(showIdentifier(Buffer.from([1, 2]))).toBe("0x0102");
});

test("a topic is a kind and an identifier, or all its bytes", () => {
  const group = topicOf(GROUP, Buffer.from("demo"));
  const welcome = topicOf(WELCOME, Buffer.from([1, 255]));
  expect(parseTopic("group:demo")).toBe(group);
  expect(parseTopic("0x0064656d6f")).toBe(group);
  expect(parseTopic("welcome:0x01ff")).toBe(welcome);
  expect(parseTopic("0x0101ff")).toBe(welcome);
  for (const word of ["demo", "group:", "groups:demo", "0x", "0x00", "0x02ab", ""]) {
    expect(parseTopic(word)).toBeUndefined();
  }
  for (const topic of [group, welcome]) expect(parseTopic(showTopic(topic))).toBe(topic);
});
