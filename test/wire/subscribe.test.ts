import { describe, expect, test } from "bun:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { Frame } from "../../src/core/frame";
import type { Message } from "../../src/core/message";
import { topicOf, WELCOME } from "../../src/core/topic";
import {
  SubscribeRequest_V1Schema,
  SubscribeRequestSchema,
  SubscribeResponseSchema,
} from "../../src/wire/gen/mls/api/v1/mls_pb";
import { type DecodedRequest, decodeSubscribeRequest, frameBytes, writeFrame } from "../../src/wire/subscribe";

type Request = NonNullable<
  Extract<MessageInitShape<typeof SubscribeRequest_V1Schema>, { $typeName?: never }>["request"]
>;

function decoded(request: Request): DecodedRequest {
  const v1 = create(SubscribeRequest_V1Schema, { request });
  const message = create(SubscribeRequestSchema, { version: { case: "v1", value: v1 } });
  return decodeSubscribeRequest(toBinary(SubscribeRequestSchema, message));
}

function detail(bytes: Uint8Array): string {
  const result = decodeSubscribeRequest(bytes);
  if (result.kind !== "event" || result.event.kind !== "malformed") throw new Error(`not malformed: ${result.kind}`);
  return result.event.detail;
}

describe("a Mutate", () => {
  test("keeps its topics as one character per byte, its cursors and its id", () => {
    const topic = Uint8Array.from({ length: 257 }, (_, i) => (i === 0 ? 1 : i - 1));
    const value = {
      adds: [{ topic, idCursor: 2n ** 63n - 1n }, { topic: Uint8Array.of(0, 7) }],
      removes: [Uint8Array.of(0, 200), new Uint8Array()],
      historyOnly: true,
      mutateId: 2n ** 64n - 1n,
    };
    expect(decoded({ case: "mutate", value })).toEqual({
      kind: "event",
      event: {
        kind: "mutate",
        mutate: {
          id: 2n ** 64n - 1n,
          adds: [
            { topic: String.fromCharCode(...topic), cursor: 2n ** 63n - 1n },
            { topic: "\0\x07", cursor: 0n },
          ],
          removes: ["\0\xc8", ""],
          historyOnly: true,
        },
      },
    });
  });

  test("may be empty", () => {
    const mutate = { id: 0n, adds: [], removes: [], historyOnly: false };
    expect(decoded({ case: "mutate", value: {} })).toEqual({ kind: "event", event: { kind: "mutate", mutate } });
  });
});

test.each([0n, 1n, 2n ** 63n, 2n ** 64n - 1n])("a Ping and a Pong keep the nonce %d (R-43, R-44)", (nonce) => {
  expect(decoded({ case: "ping", value: { nonce } })).toEqual({ kind: "event", event: { kind: "ping", nonce } });
  expect(decoded({ case: "pong", value: { nonce } })).toEqual({ kind: "event", event: { kind: "pong", nonce } });
});

describe("R-5b: a request of V1 that this node does not know is none of its business", () => {
  test("V1 with nothing set", () => {
    expect(decodeSubscribeRequest(Uint8Array.of(0x0a, 0))).toEqual({ kind: "unknownRequest" });
  });

  test("V1 with an arm of the future", () => {
    expect(decodeSubscribeRequest(Uint8Array.of(0x0a, 4, 0x7a, 2, 8, 1))).toEqual({ kind: "unknownRequest" });
  });

  test("an unknown field beside a known request does not hide it", () => {
    const bytes = Uint8Array.of(0x0a, 8, 0x12, 2, 8, 5, 0x7a, 2, 8, 1, 0x12, 1, 0);
    expect(decodeSubscribeRequest(bytes)).toEqual({ kind: "event", event: { kind: "ping", nonce: 5n } });
  });
});

describe("R-4: what is no request of a known version is malformed, and says why", () => {
  test("no version at all", () => {
    expect(detail(new Uint8Array())).toContain("without a known version");
  });

  test("a version of the future", () => {
    expect(detail(Uint8Array.of(0x12, 2, 0x0a, 0))).toContain("without a known version");
  });

  test("a request cut off, at every length", () => {
    const mutate = { adds: [{ topic: Uint8Array.of(0, 1, 2), idCursor: 300n }], mutateId: 1n };
    const message = create(SubscribeRequestSchema, {
      version: { case: "v1", value: { request: { case: "mutate", value: mutate } } },
    });
    const bytes = toBinary(SubscribeRequestSchema, message);
    for (let length = 1; length < bytes.length; length++) {
      expect(detail(bytes.subarray(0, length))).toStartWith(`a request of ${length} bytes could not be read`);
    }
  });

  test("bytes that are no protobuf", () => {
    expect(detail(new Uint8Array(40).fill(0xff))).toContain("could not be read as SubscribeRequest");
  });
});

test("R-10: a delivery in the live lane has no tag on the wire, and a welcome is read as a welcome", () => {
  const entry = Uint8Array.of(0x12, 4, 0x0a, 2, 8, 9);
  const messages: readonly Message[] = [{ kind: WELCOME, id: 9n, topic: topicOf(WELCOME, Uint8Array.of(1)), entry }];
  const frame: Frame = { kind: "messages", lane: 0n, messages };
  const bytes = new Uint8Array(frameBytes(frame));
  writeFrame(frame, bytes, 0);
  expect([...bytes]).toEqual([0x0a, 8, 0x0a, 6, ...entry]);
  const v1 = fromBinary(SubscribeResponseSchema, bytes).version.value;
  expect(v1?.response.value).toMatchObject({ mutateId: 0n, welcomeMessages: [{ version: { value: { id: 9n } } }] });
});
