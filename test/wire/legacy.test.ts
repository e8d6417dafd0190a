import { expect, test } from "bun:test";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  SubscribeGroupMessagesRequestSchema,
  SubscribeWelcomeMessagesRequestSchema,
} from "../../src/wire/gen/mls/api/v1/mls_pb";
import { decodeSubscribeGroupMessagesRequest, decodeSubscribeWelcomeMessagesRequest } from "../../src/wire/legacy";
import type { DecodedRequest } from "../../src/wire/subscribe";

function detail(decoded: DecodedRequest): string {
  if (decoded.kind !== "event" || decoded.event.kind !== "malformed") throw new Error("taken as it is");
  return decoded.event.detail;
}

function groups(...groupIds: readonly Uint8Array[]): Uint8Array {
  const filters = groupIds.map((groupId, at) => ({ groupId, idCursor: BigInt(at) }));
  return toBinary(SubscribeGroupMessagesRequestSchema, create(SubscribeGroupMessagesRequestSchema, { filters }));
}

test("filters of groups become one Mutate with the kind byte in front, duplicates included (R-24)", () => {
  expect(decodeSubscribeGroupMessagesRequest(groups(Uint8Array.of(0, 255), Uint8Array.of(0, 255)))).toEqual({
    kind: "event",
    event: {
      kind: "mutate",
      mutate: {
        id: 1n,
        adds: [
          { topic: "\0\0\xff", cursor: 0n },
          { topic: "\0\0\xff", cursor: 1n },
        ],
        removes: [],
        historyOnly: false,
      },
    },
  });
});

test("filters of installations become a Mutate of welcome topics", () => {
  const filters = [{ installationKey: Uint8Array.of(7), idCursor: 2n ** 63n - 1n }];
  const message = create(SubscribeWelcomeMessagesRequestSchema, { filters });
  const decoded = decodeSubscribeWelcomeMessagesRequest(toBinary(SubscribeWelcomeMessagesRequestSchema, message));
  expect(decoded).toMatchObject({ event: { mutate: { adds: [{ topic: "\x01\x07", cursor: 2n ** 63n - 1n }] } } });
});

test("no filters of groups are a Mutate without adds, so that the stream stays open: SDKs of new clients begin like that", () => {
  expect(decodeSubscribeGroupMessagesRequest(groups())).toMatchObject({
    event: { kind: "mutate", mutate: { adds: [] } },
  });
});

test("no filters of installations are malformed: every client has one", () => {
  expect(detail(decodeSubscribeWelcomeMessagesRequest(new Uint8Array()))).toBe(
    "filters: wanted at least 1, found none",
  );
});

test("an empty identifier and one that is too long are malformed, and the words name the filter (R-6)", () => {
  const fine = new Uint8Array(1_023);
  expect(detail(decodeSubscribeGroupMessagesRequest(groups(fine, new Uint8Array())))).toBe(
    "filters[1].group_id: wanted 1 to 1023 bytes, found 0",
  );
  expect(detail(decodeSubscribeGroupMessagesRequest(groups(fine, fine, new Uint8Array(1_024))))).toBe(
    "filters[2].group_id: wanted 1 to 1023 bytes, found 1024",
  );
});

test("bytes that are no request are malformed (R-4)", () => {
  expect(detail(decodeSubscribeGroupMessagesRequest(new Uint8Array(9).fill(0xff)))).toContain("SubscribeGroupMessages");
  expect(detail(decodeSubscribeWelcomeMessagesRequest(Uint8Array.of(0x0a, 9)))).toContain("SubscribeWelcomeMessages");
});
