import { describe, expect, test } from "bun:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { SubscribeRequest_V1Schema, SubscribeRequestSchema } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { readPlainMutate } from "../../src/wire/mutate";
import { decodeSubscribeRequest, fromSubscribeRequest } from "../../src/wire/subscribe";
import { Prng } from "../support/prng";

const { FUZZ_SEEDS = "300", FUZZ_FIRST = "1" } = process.env;
const SEEDS = Array.from({ length: Number(FUZZ_SEEDS) }, (_, i) => Number(FUZZ_FIRST) + i);

function bytes(random: Prng, most: number): Uint8Array {
  return Uint8Array.from({ length: random.between(0, most) }, () => random.int(256));
}

function id(random: Prng): bigint {
  return random.pick([0n, 1n, 127n, 128n, 1n << 32n, (1n << 49n) - 1n, 1n << 49n, (1n << 63n) - 1n, (1n << 64n) - 1n]);
}

function encoded(random: Prng): Uint8Array {
  const value = {
    adds: Array.from({ length: random.int(4) }, () => ({ topic: bytes(random, 300), idCursor: id(random) })),
    removes: Array.from({ length: random.int(3) }, () => bytes(random, 40)),
    historyOnly: random.chance(0.3),
    mutateId: id(random),
  };
  const v1 = create(SubscribeRequest_V1Schema, { request: { case: "mutate", value } });
  return toBinary(SubscribeRequestSchema, create(SubscribeRequestSchema, { version: { case: "v1", value: v1 } }));
}

/** What the library makes of it; `undefined` if it cannot read it. */
function slowly(request: Uint8Array) {
  try {
    return fromSubscribeRequest(fromBinary(SubscribeRequestSchema, request));
  } catch {
    return undefined;
  }
}

describe("a Mutate that is read without the library", () => {
  test("is what the library reads (R-12, R-15, R-24)", () => {
    for (const seed of SEEDS) {
      const request = encoded(new Prng(seed));
      expect(decodeSubscribeRequest(request), `seed ${seed}`).toEqual(slowly(request) ?? fail(seed));
    }
  });

  test("is what the library reads, or is left to it, when bytes are cut, changed or added (R-4)", () => {
    for (const seed of SEEDS) {
      const random = new Prng(seed);
      const request = encoded(random);
      for (let n = 0; n < 20; n++) {
        const damaged = damage(request, random);
        const mutate = readPlainMutate(damaged);
        if (mutate === undefined) continue;
        expect(slowly(damaged), `seed ${seed}, ${damaged.toHex()}`).toEqual({
          kind: "event",
          event: { kind: "mutate", mutate },
        });
      }
    }
  });

  test("needs nothing but ids below 2^49 and known fields to be read so", () => {
    const request = new Uint8Array([0x0a, 13, 0x0a, 11, 0x0a, 5, 0x0a, 1, 7, 0x10, 9, 0x18, 1, 0x20, 5]);
    expect(readPlainMutate(request)).toEqual({
      id: 5n,
      adds: [{ topic: "\x07", cursor: 9n }],
      removes: [],
      historyOnly: true,
    });
  });
});

function damage(request: Uint8Array, random: Prng): Uint8Array {
  const damaged = Uint8Array.from(request);
  const at = random.int(Math.max(1, damaged.length));
  switch (random.int(4)) {
    case 0:
      return damaged.subarray(0, at);
    case 1:
      return Uint8Array.from([...damaged, ...bytes(random, 6)]);
    case 2:
      return Uint8Array.from([...damaged.subarray(0, at), ...bytes(random, 3), ...damaged.subarray(at)]);
    default:
      damaged[at] = random.pick([0, 1, 0x0a, 0x10, 0x12, 0x18, 0x20, 0x7f, 0x80, 0xff, random.int(256)]);
      return damaged;
  }
}

function fail(seed: number): never {
  throw new Error(`seed ${seed}: the library cannot read what it wrote`);
}
