import { describe, expect, test } from "bun:test";
import { encodeGroupMessage, type PrivateMessage, parseGroupMessage } from "../../src/mls/group-message";
import { describeFault, type ParseFault } from "../../src/mls/reader";
import { RECORDED_GROUP_COMMIT } from "./recorded/node-sdk";

const MESSAGE: PrivateMessage = {
  groupId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  epoch: 2n ** 64n - 1n,
  contentType: "application",
  authenticatedData: Uint8Array.of(9),
  encryptedSenderData: new Uint8Array(12).fill(0xa5),
  ciphertext: new Uint8Array(70).fill(0x5a),
};

/** Offsets of the fields in the encoded MESSAGE, of their length prefixes where they have one. */
const AT = { version: 0, wireFormat: 2, groupId: 4, epoch: 13, contentType: 21, aad: 22, sender: 24, ciphertext: 37 };

/** The same message by hand, from RFC 9420: nothing of the encoder under test. */
const BYTES = Uint8Array.of(
  ...[0, 1, 0, 2],
  ...[8, 1, 2, 3, 4, 5, 6, 7, 8],
  ...[255, 255, 255, 255, 255, 255, 255, 255],
  1,
  ...[1, 9],
  ...[12, ...MESSAGE.encryptedSenderData],
  ...[0x40, 70, ...MESSAGE.ciphertext],
);

function faultOf(bytes: Uint8Array): ParseFault {
  const parsed = parseGroupMessage(bytes);
  if (parsed.kind !== "invalid") throw new Error("the message was taken as it is");
  return parsed.fault;
}

function changed(offset: number, ...values: readonly number[]): Uint8Array {
  const bytes = Uint8Array.from(BYTES);
  bytes.set(values, offset);
  return bytes;
}

/** BYTES with `remove` bytes at `offset` replaced by others. */
function spliced(offset: number, remove: number, ...values: readonly number[]): Uint8Array {
  return Uint8Array.of(...BYTES.subarray(0, offset), ...values, ...BYTES.subarray(offset + remove));
}

describe("a well-formed message", () => {
  test("is encoded as RFC 9420 has it", () => {
    expect([...encodeGroupMessage(MESSAGE)]).toEqual([...BYTES]);
  });

  test("yields its header", () => {
    const { groupId, epoch, contentType } = MESSAGE;
    expect(parseGroupMessage(BYTES)).toEqual({
      kind: "header",
      header: { groupId, epoch, contentType, isCommit: false },
    });
  });

  test.each([
    ["application", false],
    ["proposal", true],
    ["commit", true],
  ] as const)("of content type %s: is_commit is %p", (contentType, isCommit) => {
    const parsed = parseGroupMessage(encodeGroupMessage({ ...MESSAGE, contentType }));
    expect(parsed).toMatchObject({ kind: "header", header: { contentType, isCommit } });
  });

  test.each([0, 1, 63, 64, 16_383, 16_384, 100_000])("may have a ciphertext of %d bytes", (length) => {
    const data = encodeGroupMessage({ ...MESSAGE, ciphertext: new Uint8Array(length) });
    const prefix = length < 64 ? 1 : length < 16_384 ? 2 : 4;
    expect(data.length).toBe(AT.ciphertext + prefix + length);
    expect(parseGroupMessage(data).kind).toBe("header");
  });

  test("may have a view of a larger buffer for input", () => {
    const inside = Uint8Array.of(7, 7, 7, ...BYTES, 7).subarray(3, 3 + BYTES.length);
    expect(parseGroupMessage(inside)).toMatchObject({ kind: "header", header: { groupId: MESSAGE.groupId } });
  });
});

describe("a commit of a real SDK", () => {
  test("yields its group, its epoch and that it is a commit", () => {
    const groupId = Uint8Array.from(Buffer.from("d803453a8424bcb2ba9fa8fcbf092d69", "hex"));
    expect(parseGroupMessage(RECORDED_GROUP_COMMIT)).toMatchObject({
      kind: "header",
      header: { groupId, epoch: 0n, contentType: "commit", isCommit: true },
    });
  });

  test("is refused cut off anywhere, and with a byte too many", () => {
    for (let length = 0; length < RECORDED_GROUP_COMMIT.length; length++) {
      expect(faultOf(RECORDED_GROUP_COMMIT.subarray(0, length)).reason).toBe("cutOff");
    }
    expect(faultOf(Uint8Array.of(...RECORDED_GROUP_COMMIT, 0)).reason).toBe("trailingBytes");
  });
});

describe("a message that is cut off", () => {
  test("is refused at every length, naming a field that begins before the end", () => {
    for (let length = 0; length < BYTES.length; length++) {
      const fault = faultOf(BYTES.subarray(0, length));
      expect(fault.reason).toBe("cutOff");
      expect(fault.offset).toBeLessThanOrEqual(length);
    }
  });

  test.each([
    [0, "version at byte 0: wanted 2 bytes, found the end of the input"],
    [3, "wire_format at byte 2: wanted 2 bytes, found 1 byte and the end of the input"],
    [4, "group_id at byte 4: wanted a length, found the end of the input"],
    [10, "group_id at byte 4: wanted 8 bytes after the length, found 5 bytes and the end of the input"],
    [20, "epoch at byte 13: wanted 8 bytes, found 7 bytes and the end of the input"],
    [21, "content_type at byte 21: wanted 1 byte, found the end of the input"],
    [38, "ciphertext at byte 37: wanted a length of 2 bytes, found the end of the input"],
  ])("after %d bytes: %s", (length, words) => {
    expect(describeFault(faultOf(BYTES.subarray(0, length)))).toBe(words);
  });
});

describe("a message with something wrong in it", () => {
  test.each([
    [changed(AT.version, 0, 2), "badValue", "version at byte 0: wanted 1, found 2"],
    [changed(AT.version, 1, 1), "badValue", "version at byte 0: wanted 1, found 257"],
    [changed(AT.wireFormat, 0, 1), "badValue", "wire_format at byte 2: wanted 2, found 1"],
    [changed(AT.contentType, 0), "badValue", "content_type at byte 21: wanted 1 or 2 or 3, found 0"],
    [changed(AT.contentType, 4), "badValue", "content_type at byte 21: wanted 1 or 2 or 3, found 4"],
    [
      changed(AT.groupId, 0xc8),
      "badLength",
      "group_id at byte 4: wanted a length of 1, 2 or 4 bytes, found the reserved prefix 11",
    ],
    [
      spliced(AT.groupId, 1, 0x40, 8),
      "badLength",
      "group_id at byte 4: wanted the length 8 in 1 byte, the fewest possible, found one in 2 bytes",
    ],
    [
      spliced(AT.ciphertext, 2, 0x80, 0, 0, 70),
      "badLength",
      "ciphertext at byte 37: wanted the length 70 in 2 bytes, the fewest possible, found one in 4 bytes",
    ],
    [
      Uint8Array.of(...BYTES, 0),
      "trailingBytes",
      `end at byte ${BYTES.length}: wanted the end of the message, found 1 byte more`,
    ],
  ] as const)("%# is refused: %s", (bytes, reason, words) => {
    const fault = faultOf(bytes);
    expect(fault.reason).toBe(reason);
    expect(describeFault(fault)).toBe(words);
  });

  test("a length of nearly 2^30 costs nothing and is refused", () => {
    const fault = faultOf(changed(AT.ciphertext, 0xbf, 0xff, 0xff, 0xff));
    expect(fault).toMatchObject({ reason: "cutOff", field: "ciphertext", offset: AT.ciphertext });
  });

  test("every single changed byte is refused, unless it lies in what is opaque or in the epoch", () => {
    const opaque = (offset: number) =>
      (offset > AT.groupId && offset < AT.contentType) ||
      offset === AT.aad + 1 ||
      (offset > AT.sender && offset < AT.ciphertext) ||
      offset > AT.ciphertext + 1;
    for (let offset = 0; offset < BYTES.length; offset++) {
      for (let value = 0; value < 256; value++) {
        if (value === BYTES[offset]) continue;
        const parsed = parseGroupMessage(changed(offset, value));
        // A content type of 2 or 3 is another message, but a well-formed one.
        const fine = opaque(offset) || (offset === AT.contentType && (value === 2 || value === 3));
        if ((parsed.kind === "header") !== fine) throw new Error(`byte ${offset} as ${value}: ${parsed.kind}`);
      }
    }
  });

  test("every byte left out is refused, unless it was one of many that look alike to a parser", () => {
    for (let offset = 0; offset < AT.groupId; offset++) {
      expect(parseGroupMessage(spliced(offset, 1)).kind).toBe("invalid");
    }
    for (let offset = AT.ciphertext + 2; offset < BYTES.length; offset++) {
      expect(faultOf(spliced(offset, 1))).toMatchObject({ reason: "cutOff", field: "ciphertext" });
    }
  });
});
