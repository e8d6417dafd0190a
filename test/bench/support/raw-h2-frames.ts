/** The frames of HTTP/2 and gRPC, as far as a load client needs them. */

export const NOTHING = Buffer.alloc(0);
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const MAX_FRAME_BYTES = 16_384;
/** Of SETTINGS. */
export const INITIAL_WINDOW_SIZE = 4;

/** Puts gRPC messages together from DATA payloads. A large one is copied twice, however many payloads it comes in. */
export class MessageSplitter {
  readonly #onMessage: (message: Buffer) => void;
  /** The beginning of a message that is not whole yet. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** With fewer bytes than these there is nothing to be done. */
  #wantedBytes = 0;

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(payload: Buffer): void {
    if (this.#heldBytes + payload.length < this.#wantedBytes) {
      this.#held.push(Buffer.from(payload));
      this.#heldBytes += payload.length;
      return;
    }
    let bytes = this.#heldBytes === 0 ? payload : Buffer.concat([...this.#held, payload]);
    let end = messageEnd(bytes);
    for (; bytes.length >= end; end = messageEnd(bytes)) {
      this.#onMessage(bytes.subarray(5, end));
      bytes = bytes.subarray(end);
    }
    this.#held = bytes.length === 0 ? [] : [Buffer.from(bytes)];
    this.#heldBytes = bytes.length;
    this.#wantedBytes = end;
  }
}

/** Where the message at the front ends; while its length is unknown, how many bytes tell it. */
function messageEnd(bytes: Buffer): number {
  return bytes.length < 5 ? 5 : 5 + bytes.readUInt32BE(1);
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(id, 5);
  bytes.set(payload, 9);
  return bytes;
}

/** A gRPC message with its prefix. */
export function envelope(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(5 + message.length);
  bytes.writeUInt8(0, 0);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, 5);
  return bytes;
}

export function windowUpdate(id: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes, 0);
  return frame(WINDOW_UPDATE, 0, id, payload);
}

export function requestHeaders(authority: string, path: string): Buffer {
  const fields = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", authority],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ];
  return Buffer.concat(fields.flatMap(([name = "", value = ""]) => [Buffer.from([0]), literal(name), literal(value)]));
}

/** An HPACK string, not Huffman coded; all of ours are shorter than 127 bytes. */
function literal(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}
