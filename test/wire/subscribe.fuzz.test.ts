import { describe, expect, test } from "bun:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { Frame } from "../../src/core/frame";
import { MAX_CURSOR } from "../../src/core/limits";
import type { Message } from "../../src/core/message";
import { GROUP, KINDS, type Kind, type Topic, topicOf } from "../../src/core/topic";
import {
  type Body,
  encodeEntry,
  encodeGroupBody,
  encodeWelcomeBody,
  entryMessage,
  type Placed,
} from "../../src/wire/entry";
import {
  GroupMessage_V1Schema,
  GroupMessageSchema,
  SubscribeResponse_V1_MessagesSchema,
  SubscribeResponseSchema,
  WelcomeMessageInput_V1Schema,
  WelcomeMessageInput_WelcomePointerSchema,
  WelcomeMessageSchema,
} from "../../src/wire/gen/mls/api/v1/mls_pb";
import { frameBytes, toSubscribeResponse, writeFrame } from "../../src/wire/subscribe";
import { sizeOfVarint64, writeVarint64 } from "../../src/wire/varint";
import { Prng } from "../support/prng";

/** How many seeds, and which is the first. */
const { FUZZ_SEEDS = "8", FUZZ_FIRST = "1" } = process.env;
const SEEDS = Array.from({ length: Number(FUZZ_SEEDS) }, (_, i) => Number(FUZZ_FIRST) + i);

/** Any number of 0 to `bits` bits, every width as likely as the others. */
function uint(random: Prng, bits: number): bigint {
  const width = random.between(0, bits);
  let value = 0n;
  for (let i = 0; i < width; i += 16) value = (value << 16n) | BigInt(random.int(65_536));
  return value & ((1n << BigInt(width)) - 1n);
}

function bytes(random: Prng, least: number, most: number): Uint8Array {
  return Uint8Array.from({ length: random.between(least, most) }, () => random.int(256));
}

function topic(random: Prng): Topic {
  return topicOf(random.pick(KINDS), bytes(random, 1, random.pick([1, 40, 126, 127, 128, 1_023])));
}

function body(random: Prng, kind: Kind): Body {
  const data = bytes(random, 1, random.pick([1, 100, 20_000]));
  const key = bytes(random, 1, 64);
  if (kind === GROUP) {
    const flags = { shouldPush: random.chance(0.5), isCommit: random.chance(0.5) };
    return encodeGroupBody({ groupId: key, data, senderHmac: bytes(random, 0, 32), ...flags });
  }
  const common = { installationKey: key, hpkePublicKey: bytes(random, 0, 1_216), wrapperAlgorithm: 2 } as const;
  if (random.chance(0.3)) {
    return encodeWelcomeBody({
      case: "welcomePointer",
      value: create(WelcomeMessageInput_WelcomePointerSchema, { ...common, welcomePointer: data }),
    });
  }
  return encodeWelcomeBody({
    case: "v1",
    value: create(WelcomeMessageInput_V1Schema, { ...common, data, welcomeMetadata: bytes(random, 0, 64) }),
  });
}

function placed(random: Prng): Placed {
  const kind = random.pick(KINDS);
  return { kind, id: 1n + (uint(random, 63) % MAX_CURSOR), createdNs: uint(random, 63), ...body(random, kind) };
}

function message(random: Prng): Message {
  const one = placed(random);
  return { kind: one.kind, id: one.id, topic: topicOf(one.kind, Uint8Array.of(1)), entry: encodeEntry(one) };
}

function frame(random: Prng): Frame {
  const many = <T>(most: number, make: (random: Prng) => T) =>
    Array.from({ length: random.between(1, most) }, () => make(random));
  switch (random.int(7)) {
    case 0:
      return { kind: "started", keepaliveMs: random.pick([0, 100, 30_000, 2 ** 32 - 1]) };
    case 1:
      return { kind: "topicsLive", topics: many(300, topic) };
    case 2:
      return { kind: "catchupComplete", mutateId: uint(random, 64) };
    case 3:
      return { kind: "ping", nonce: uint(random, 64) };
    case 4:
      return { kind: "pong", nonce: uint(random, 64) };
    default:
      return { kind: "messages", lane: random.chance(0.5) ? 0n : uint(random, 64), messages: many(20, message) };
  }
}

describe.each(SEEDS)("seed %d", (seed) => {
  test("an entry is byte for byte what protobuf-es writes, and its message is found in it (ids up to 2^63-1)", () => {
    const random = new Prng(seed);
    for (let i = 0; i < 100; i++) {
      const { kind, id, createdNs, ...rest } = placed(random);
      const entry = encodeEntry({ kind, id, createdNs, ...rest });
      const encoded = entryMessage(entry);
      const schema = kind === GROUP ? GroupMessageSchema : WelcomeMessageSchema;
      const decoded = fromBinary(schema, encoded);
      expect(decoded.version.value).toMatchObject({ id, createdNs });
      expect(Buffer.compare(toBinary(schema, decoded), encoded)).toBe(0);
      const lane = kind === GROUP ? "groupMessages" : "welcomeMessages";
      const list = create(SubscribeResponse_V1_MessagesSchema, { [lane]: [decoded] });
      expect(Buffer.compare(toBinary(SubscribeResponse_V1_MessagesSchema, list), entry)).toBe(0);
    }
  });

  test("the body of a group message is what protobuf-es writes, whatever is empty", () => {
    const random = new Prng(seed);
    for (let i = 0; i < 100; i++) {
      const any = () => bytes(random, 0, random.pick([0, 1, 127, 128, 20_000]));
      const fields = {
        groupId: any(),
        data: any(),
        senderHmac: any(),
        shouldPush: random.chance(0.5),
        isCommit: random.chance(0.5),
      };
      const want = toBinary(GroupMessage_V1Schema, create(GroupMessage_V1Schema, fields));
      expect(Buffer.compare(encodeGroupBody(fields).body, want)).toBe(0);
    }
  });

  test("a frame is byte for byte what protobuf-es writes, fills the size it announced and nothing beside it", () => {
    const random = new Prng(seed);
    for (let i = 0; i < 100; i++) {
      const one = frame(random);
      const want = toBinary(SubscribeResponseSchema, toSubscribeResponse(one));
      expect(frameBytes(one)).toBe(want.length);
      const before = random.int(10);
      const target = new Uint8Array(before + want.length + 3).fill(0xee);
      expect(writeFrame(one, target, before)).toBe(before + want.length);
      expect(Buffer.compare(target.subarray(before, before + want.length), want)).toBe(0);
      expect(target.subarray(0, before).every((byte) => byte === 0xee)).toBe(true);
      expect(target.subarray(before + want.length).every((byte) => byte === 0xee)).toBe(true);
    }
  });

  test("a varint of any width up to 64 bits is written as protobuf reads it, in the bytes announced", () => {
    const random = new Prng(seed);
    for (let i = 0; i < 500; i++) {
      const value = uint(random, 64);
      const target = new Uint8Array(11);
      const end = writeVarint64(value, target, 1);
      expect(end - 1).toBe(sizeOfVarint64(value));
      expect(new BinaryReader(target.subarray(1, end)).uint64()).toBe(value);
    }
  });
});

test.each([
  0n,
  127n,
  128n,
  2n ** 28n - 1n,
  2n ** 28n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
])("a varint of %d at a boundary of width keeps its value", (value) => {
  const target = new Uint8Array(10);
  const end = writeVarint64(value, target, 0);
  expect(end).toBe(sizeOfVarint64(value));
  expect(new BinaryReader(target.subarray(0, end)).uint64()).toBe(value);
});
