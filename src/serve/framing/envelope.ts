/**
 * The five bytes before every message of a gRPC or Connect stream: one byte of flags, four of length,
 * big-endian. The same envelope for both protocols; what the flags mean is not decided here.
 */

/** Size of an envelope, in bytes. */
export const ENVELOPE_BYTES = 5;
/** The message is compressed with the encoding that the headers named. */
export const FLAG_COMPRESSED = 1;
/** Connect: the message is no message but the end of the stream, as JSON. */
export const FLAG_END_STREAM = 2;

const NOTHING = new Uint8Array(0);

/** One message as it came. `bytes` may be a view of what was received: read it during the call. */
export interface Envelope {
  readonly flags: number;
  readonly bytes: Uint8Array;
}

export interface EnvelopeSink {
  onEnvelope(envelope: Envelope): void;
}

/** What can be wrong with a sequence of envelopes. */
export type FramingFault =
  /** The length that was announced is above what we take; nothing was allocated for it. */
  | { readonly kind: "tooLong"; readonly lengthBytes: number }
  /** The bytes ended within an envelope or its message. */
  | { readonly kind: "truncated"; readonly wantedBytes: number; readonly gotBytes: number };

/**
 * Takes a byte stream apart into messages.
 *
 * A message that lies within one chunk is handed over as a view of it, without a copy. One that does not is
 * collected in a buffer that grows with what arrives: what is held is never more than twice what was received,
 * whatever length was announced and however small the pieces are.
 */
export class EnvelopeReader {
  readonly #maxBytes: number;
  readonly #sink: EnvelopeSink;
  /** An envelope that is not whole yet, in its first `#heldBytes`. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;
  /** How much must be held before anything can be done: an envelope's head, then head and message. */
  #wantedBytes = ENVELOPE_BYTES;
  #fault: FramingFault | undefined;
  #dropped = false;

  /** Messages above `maxBytes` are a fault. The sink is called from within {@link read}, in order. */
  constructor(maxBytes: number, sink: EnvelopeSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  /** Bytes of a message that is not whole yet, envelope included. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes the next bytes. After a fault, which it returns each time, everything is ignored. */
  read(chunk: Uint8Array): FramingFault | undefined {
    let at = 0;
    while (at < chunk.length && this.#fault === undefined && !this.#dropped) {
      at = this.#heldBytes === 0 ? this.#takeWhole(chunk, at) : this.#collect(chunk, at);
    }
    return this.#fault;
  }

  /** There are no more bytes: a fault if they ended within a message. */
  end(): FramingFault | undefined {
    if (this.#fault !== undefined || this.#heldBytes === 0) return this.#fault;
    return this.#fail({ kind: "truncated", wantedBytes: this.#wantedBytes, gotBytes: this.#heldBytes });
  }

  /** Lets go of what is held; everything further is ignored. The sink may call it. */
  drop(): void {
    this.#dropped = true;
    this.#release();
  }

  /** Hands over the message that begins at `at`, or begins to collect it. Returns how far the chunk was read. */
  #takeWhole(chunk: Uint8Array, at: number): number {
    const room = chunk.length - at;
    if (room < ENVELOPE_BYTES) return this.#collect(chunk, at);
    const lengthBytes = lengthAt(chunk, at + 1);
    if (lengthBytes > this.#maxBytes) {
      this.#fail({ kind: "tooLong", lengthBytes });
      return chunk.length;
    }
    const wholeBytes = ENVELOPE_BYTES + lengthBytes;
    if (room < wholeBytes) return this.#collect(chunk, at);
    this.#sink.onEnvelope({ flags: chunk[at] ?? 0, bytes: chunk.subarray(at + ENVELOPE_BYTES, at + wholeBytes) });
    return at + wholeBytes;
  }

  /** Adds to what is held as much as is wanted. Returns how far the chunk was read. */
  #collect(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#wantedBytes - this.#heldBytes);
    this.#grow(this.#heldBytes + end - at);
    this.#held.set(chunk.subarray(at, end), this.#heldBytes);
    this.#heldBytes += end - at;
    if (this.#heldBytes === ENVELOPE_BYTES) this.#readHead();
    else if (this.#heldBytes === this.#wantedBytes) this.#handOver();
    return end;
  }

  #readHead(): void {
    const lengthBytes = lengthAt(this.#held, 1);
    if (lengthBytes > this.#maxBytes) this.#fail({ kind: "tooLong", lengthBytes });
    else if (lengthBytes === 0) this.#handOver();
    else this.#wantedBytes = ENVELOPE_BYTES + lengthBytes;
  }

  #handOver(): void {
    const flags = this.#held[0] ?? 0;
    const bytes = this.#held.subarray(ENVELOPE_BYTES, this.#wantedBytes);
    this.#release();
    this.#sink.onEnvelope({ flags, bytes });
  }

  #grow(neededBytes: number): void {
    if (neededBytes <= this.#held.length) return;
    const grown = new Uint8Array(Math.max(neededBytes, Math.min(this.#wantedBytes, this.#held.length * 2)));
    grown.set(this.#held.subarray(0, this.#heldBytes));
    this.#held = grown;
  }

  #release(): void {
    this.#held = NOTHING;
    this.#heldBytes = 0;
    this.#wantedBytes = ENVELOPE_BYTES;
  }

  #fail(fault: FramingFault): FramingFault {
    this.#fault = fault;
    this.#release();
    return fault;
  }
}

/** Writes an envelope for a message of `lengthBytes` and returns where the message begins. */
export function writeEnvelope(target: Uint8Array, at: number, flags: number, lengthBytes: number): number {
  target[at] = flags;
  target[at + 1] = lengthBytes >>> 24;
  target[at + 2] = lengthBytes >>> 16;
  target[at + 3] = lengthBytes >>> 8;
  target[at + 4] = lengthBytes;
  return at + ENVELOPE_BYTES;
}

/** A message in its envelope. */
export function inEnvelope(flags: number, message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(ENVELOPE_BYTES + message.length);
  bytes.set(message, writeEnvelope(bytes, 0, flags, message.length));
  return bytes;
}

function lengthAt(chunk: Uint8Array, at: number): number {
  const high = chunk[at] ?? 0;
  return high * 0x1000000 + (((chunk[at + 1] ?? 0) << 16) | ((chunk[at + 2] ?? 0) << 8) | (chunk[at + 3] ?? 0));
}
