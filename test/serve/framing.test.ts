import { describe, expect, test } from "bun:test";
import { ENVELOPE_BYTES, type Envelope, EnvelopeReader, inEnvelope } from "../../src/serve/framing/envelope";
import { grpcTimeoutMs, percentEncode } from "../../src/serve/framing/grpc";

const MAX_BYTES = 1_000;

/** A reader and what it has read: flags and bytes, copied. */
function reading(maxBytes = MAX_BYTES) {
  const read: { readonly flags: number; readonly bytes: Buffer }[] = [];
  const reader = new EnvelopeReader(maxBytes, {
    onEnvelope: ({ flags, bytes }) => read.push({ flags, bytes: Buffer.from(bytes) }),
  });
  return { reader, read };
}

const messages = [Buffer.from("first"), Buffer.alloc(0), Buffer.alloc(700, 7), Buffer.from("last")];
const wire = Buffer.concat(messages.map((message, flags) => inEnvelope(flags, message)));

describe("envelopes", () => {
  test("come out whole, whatever pieces the bytes come in", () => {
    for (const size of [1, 2, 4, 5, 6, 9, 10, 11, 64, 700, 704, 705, wire.length]) {
      const { reader, read } = reading();
      for (let at = 0; at < wire.length; at += size) expect(reader.read(wire.subarray(at, at + size))).toBeUndefined();
      expect(read.map(({ bytes }) => bytes)).toEqual(messages);
      expect(read.map(({ flags }) => flags)).toEqual([0, 1, 2, 3]);
      expect(reader.end()).toBeUndefined();
      expect(reader.heldBytes).toBe(0);
    }
  });

  test("within one chunk are handed over without a copy", () => {
    const seen: Envelope[] = [];
    const chunk = new Uint8Array(wire);
    new EnvelopeReader(MAX_BYTES, { onEnvelope: (envelope) => seen.push(envelope) }).read(chunk);
    expect(seen.length).toBe(4);
    for (const { bytes } of seen) expect(bytes.buffer).toBe(chunk.buffer);
  });

  test("of a length that is too much are a fault at once, though nothing of them has come", () => {
    for (const split of [false, true]) {
      const { reader, read } = reading(25 * 1024 * 1024);
      const head = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
      const before = process.memoryUsage().arrayBuffers;
      if (split) reader.read(head.subarray(0, 3));
      expect(reader.read(split ? head.subarray(3) : head)).toEqual({ kind: "tooLong", lengthBytes: 0xffff_ffff });
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
      expect(reader.read(wire)).toEqual({ kind: "tooLong", lengthBytes: 0xffff_ffff });
      expect(read).toEqual([]);
    }
  });

  test("of exactly the length that is allowed pass, one byte more does not", () => {
    const { reader, read } = reading(5);
    expect(reader.read(inEnvelope(0, Buffer.from("12345")))).toBeUndefined();
    expect(reader.read(inEnvelope(0, Buffer.from("123456")))).toEqual({ kind: "tooLong", lengthBytes: 6 });
    expect(read.length).toBe(1);
  });

  test("that are announced long and come in tiny pieces hold no more than twice what came", () => {
    const { reader } = reading(16 * 1024 * 1024);
    const head = Buffer.from([0, 0, 0xf0, 0, 0]);
    Bun.gc(true);
    const before = process.memoryUsage().arrayBuffers;
    reader.read(head);
    for (let n = 0; n < 10_000; n++) reader.read(head.subarray(0, 1));
    Bun.gc(true);
    expect(reader.heldBytes).toBe(10_005);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000);
  });

  test("that end in the middle are a fault that says what was missing", () => {
    const cut = (bytes: Uint8Array) => {
      const { reader } = reading();
      reader.read(bytes);
      return reader.end();
    };
    expect(cut(wire.subarray(0, 3))).toEqual({ kind: "truncated", wantedBytes: ENVELOPE_BYTES, gotBytes: 3 });
    expect(cut(wire.subarray(0, 7))).toEqual({ kind: "truncated", wantedBytes: 10, gotBytes: 7 });
    expect(cut(wire.subarray(0, 10))).toBeUndefined();
  });

  test("are read no further once the reader was told to drop, even from within a message", () => {
    const read: string[] = [];
    const reader = new EnvelopeReader(MAX_BYTES, {
      onEnvelope: ({ bytes }) => {
        read.push(`${Buffer.from(bytes)}`);
        reader.drop();
      },
    });
    expect(reader.read(wire)).toBeUndefined();
    reader.read(wire.subarray(0, 3));
    expect(read).toEqual(["first"]);
    expect(reader.heldBytes).toBe(0);
    expect(reader.end()).toBeUndefined();
  });
});

describe("what gRPC says around its messages", () => {
  test("words are escaped but for printable ASCII", () => {
    expect(percentEncode("wanted 1, got ü 100%\n")).toBe("wanted 1, got %C3%BC 100%25%0A");
    expect(decodeURIComponent(percentEncode("ä €\u{1f600}%"))).toBe("ä €\u{1f600}%");
  });

  test("a deadline is eight digits and a unit; what is none is for ever", () => {
    const timeout = (text: string) => grpcTimeoutMs({ "grpc-timeout": text });
    expect([timeout("2H"), timeout("3M"), timeout("1S"), timeout("250m")]).toEqual([7_200_000, 180_000, 1_000, 250]);
    expect([timeout("500u"), timeout("1000000n")]).toEqual([0.5, 1]);
    expect([timeout(""), timeout("1"), timeout("123456789S"), timeout("-1S"), timeout("1s")]).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
  });
});
