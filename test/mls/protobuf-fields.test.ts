import { describe, expect, test } from "bun:test";
import { lastBytes, readFields } from "../../src/mls/protobuf-fields";

const VARINT_MAX = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];

describe("fields", () => {
  test("of every wire type are stepped over, and the last of a number counts", () => {
    const fields = readFields(
      Uint8Array.of(10, 1, 7, 8, ...VARINT_MAX, 17, 1, 2, 3, 4, 5, 6, 7, 8, 29, 1, 2, 3, 4, 10, 2, 8, 9),
    );
    expect(fields?.map(({ number }) => number)).toEqual([1, 1, 2, 3, 1]);
    expect(lastBytes(fields ?? [], 1)).toEqual(Uint8Array.of(8, 9));
    expect(lastBytes(fields ?? [], 4)).toBeUndefined();
  });

  test("of nothing are none", () => {
    expect(readFields(new Uint8Array())).toEqual([]);
  });

  test.each([
    ["a field number of 0", [2, 0]],
    ["a tag that is cut off", [128]],
    ["a tag beyond 32 bits", [130, 128, 128, 128, 16, 0]],
    ["a length that is cut off", [10]],
    ["a length beyond the end", [10, 2, 1]],
    ["a length beyond all numbers", [10, ...VARINT_MAX, 1]],
    ["a fixed number that is cut off", [29, 1, 2, 3]],
    ["a varint of more than 64 bits", [8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]],
    ["a varint of eleven bytes", [8, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0]],
    ["a group", [11, 12]],
  ])("with %s are no message", (_, bytes) => {
    expect(readFields(Uint8Array.from(bytes))).toBeUndefined();
  });
});
