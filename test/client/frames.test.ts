import { expect, test } from "bun:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import { fromSubscribeResponse, toSubscribeRequest } from "../../src/client/frames";
import { GROUP, topicBytes, topicOf, WELCOME } from "../../src/core/topic";
import { SubscribeRequestSchema, SubscribeResponseSchema } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { decodeSubscribeRequest, fromSubscribeRequest, toSubscribeResponse } from "../../src/wire/subscribe";

const group = topicOf(GROUP, Buffer.from("demo"));
const welcome = topicOf(WELCOME, Uint8Array.of(1, 255));

test("what the client says is what the node understands", () => {
  const mutate = { id: 3n, adds: [{ topic: group, cursor: 7n }], removes: [welcome], historyOnly: true };
  const requests = [
    { kind: "mutate", mutate },
    { kind: "ping", nonce: 2n ** 64n - 1n },
    { kind: "pong", nonce: 0n },
  ] as const;
  for (const request of requests) {
    const message = create(SubscribeRequestSchema, toSubscribeRequest(request));
    expect(fromSubscribeRequest(message)).toEqual({ kind: "event", event: request });
  }
  expect(toSubscribeRequest({ kind: "halfClose" })).toBeUndefined();
  expect(decodeSubscribeRequest(new Uint8Array())).toMatchObject({ event: { kind: "malformed" } });
});

test("what the node says is what the client understands", () => {
  const frames = [
    { kind: "started", keepaliveMs: 30_000 },
    { kind: "ping", nonce: 1n },
    { kind: "pong", nonce: 2n },
    { kind: "topicsLive", topics: [group, welcome] },
    { kind: "catchupComplete", mutateId: 9n },
  ] as const;
  for (const frame of frames) expect(fromSubscribeResponse(toSubscribeResponse(frame))).toEqual(frame);
});

test("optional request types that a node announces change nothing for a client that uses none (R-3)", () => {
  // V1 { started { keepalive_interval_ms: 500, capabilities: [0, 77] } }
  const bytes = Uint8Array.of(0x0a, 9, 0x12, 7, 0x08, 0xf4, 0x03, 0x12, 2, 0, 77);
  expect(fromSubscribeResponse(fromBinary(SubscribeResponseSchema, bytes))).toEqual({
    kind: "started",
    keepaliveMs: 500,
  });
});

test("what only a newer node would say is passed over: frames, versions, kinds of topics and messages", () => {
  expect(fromSubscribeResponse(create(SubscribeResponseSchema, {}))).toBeUndefined();
  const response = (value: Parameters<typeof create<typeof SubscribeResponseSchema>>[1]) =>
    fromSubscribeResponse(create(SubscribeResponseSchema, value));
  expect(response({ version: { case: "v1", value: {} } })).toBeUndefined();
  const topics = [topicBytes(group), Uint8Array.of(9, 1), Uint8Array.of(0), new Uint8Array()];
  expect(response({ version: { case: "v1", value: { response: { case: "topicsLive", value: { topics } } } } })).toEqual(
    {
      kind: "topicsLive",
      topics: [group],
    },
  );
  const messages = { mutateId: 4n, groupMessages: [{}], welcomeMessages: [{}] };
  expect(response({ version: { case: "v1", value: { response: { case: "messages", value: messages } } } })).toEqual({
    kind: "messages",
    lane: 4n,
    messages: [],
  });
});
