import { expect, test } from "bun:test";
import { unwrapPayload, wrapPayload } from "../../src/cli/payload";
import { parseGroupMessage } from "../../src/mls/group-message";

const groupId = Buffer.from("demo");

test("wrapped bytes are a message that a node takes, of the group, and come out again", () => {
  for (const payload of [Buffer.from("hello"), Buffer.alloc(0), Buffer.alloc(100_000, 7)]) {
    const data = wrapPayload(groupId, payload);
    const parsed = parseGroupMessage(data);
    expect(parsed).toMatchObject({ kind: "header", header: { contentType: "application", isCommit: false } });
    expect(parsed.kind === "header" && Buffer.from(parsed.header.groupId).toString()).toBe("demo");
    expect(Buffer.from(unwrapPayload(data) ?? [])).toEqual(payload);
  }
});

test("the same bytes make a new message each time, because a node keeps one of two that are equal", () => {
  const payload = Buffer.from("hello");
  expect(wrapPayload(groupId, payload)).not.toEqual(wrapPayload(groupId, payload));
});

test("what is no such message has no payload", () => {
  expect(unwrapPayload(Buffer.from("plain"))).toBeUndefined();
});
