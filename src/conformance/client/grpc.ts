/** gRPC over HTTP/2, seen from the client: envelopes, statuses, and how each call ended. */

/** Codes of gRPC by name. */
export const CODE = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** How a call ended. */
export interface Status {
  /** The status's number; `undefined` if the response ended without one. */
  readonly code: number | undefined;
  readonly message: string;
  /** It came with the first HEADERS frame, which ended the response. */
  readonly trailersOnly: boolean;
}

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(CODE).map(([name, code]) => [code, name]));

/** A status as people read it. */
export function showStatus({ code, message }: Status): string {
  if (code === undefined) return message === "" ? "an end without a status" : `an end without a status (${message})`;
  return `status ${NAMES.get(code) ?? "number"} (${code})${message === "" ? "" : `: ${message}`}`;
}

/** Text as it stands in `grpc-message`, percent-decoded. What cannot be decoded stays as it is. */
export function decodeMessageField(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const HEAD_BYTES = 5;

/** A message in its envelope. */
export function envelope(message: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(HEAD_BYTES + message.length);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, HEAD_BYTES);
  return bytes;
}

/** A whole envelope. */
export interface Envelope {
  readonly flags: number;
  readonly message: Uint8Array;
}

/** Takes a body apart, however it is cut. */
export class EnvelopeReader {
  #pending: Buffer = Buffer.alloc(0);

  /** Bytes of an envelope that is not whole yet. */
  get heldBytes(): number {
    return this.#pending.length;
  }

  push(chunk: Buffer): readonly Envelope[] {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const found: Envelope[] = [];
    while (bytes.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + bytes.readUInt32BE(1);
      if (bytes.length < end) break;
      found.push({ flags: bytes.readUInt8(0), message: bytes.subarray(HEAD_BYTES, end) });
      bytes = bytes.subarray(end);
    }
    this.#pending = bytes;
    return found;
  }
}
