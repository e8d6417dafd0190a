/**
 * A gRPC client over HTTP/2 that does as little as possible, so that a load generator is not what is measured.
 *
 * It speaks h2c by prior knowledge, opens its flow-control windows wide, writes headers as plain literals,
 * never decodes headers, and hands out the payload of DATA frames without copying. Good for loopback
 * and for servers that behave; anything unexpected ends the run.
 */

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const MAX_FRAME_BYTES = 16_384;
const WINDOW_BYTES = 0x7fff_ffff;
/** How much of a window is used up before it is refilled. */
const REFILL_BYTES = 1 << 29;

export interface RawStreamEvents {
  /** Bytes of one gRPC message; valid during the call only. */
  readonly onMessage: (message: Buffer) => void;
  /** The stream ended, by trailers (`clean`) or by a reset. */
  readonly onEnd?: (clean: boolean) => void;
}

/** One stream of a connection. */
export interface RawStream {
  send(message: Uint8Array): void;
  halfClose(): void;
}

interface StreamState {
  readonly events: RawStreamEvents;
  readonly messages: MessageSplitter;
  consumedBytes: number;
}

/** One HTTP/2 connection. */
export class RawConnection {
  readonly #streams = new Map<number, StreamState>();
  readonly #authority: string;
  #socket: import("bun").Socket<undefined> | undefined;
  #out: Buffer[] = [];
  #writing = false;
  #pending: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #consumedBytes = 0;
  #receivedBytes = 0;
  #closing = false;

  private constructor(authority: string) {
    this.#authority = authority;
  }

  /** Connects to `host:port` and exchanges the prefaces. */
  static async open(address: string): Promise<RawConnection> {
    const url = new URL(`http://${address}`);
    const connection = new RawConnection(address);
    connection.#socket = await Bun.connect({
      hostname: url.hostname,
      port: Number(url.port),
      socket: {
        data: (_, chunk) => connection.#receive(chunk),
        drain: () => connection.#flush(),
        close: () => connection.#lost(),
        error: (_, error) => connection.#lost(error),
      },
    });
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(2, 0); // ENABLE_PUSH = 0
    settings.writeUInt16BE(4, 6); // INITIAL_WINDOW_SIZE
    settings.writeUInt32BE(WINDOW_BYTES, 8);
    connection.#write(PREFACE, frame(SETTINGS, 0, 0, settings), windowUpdate(0, WINDOW_BYTES - 65_535));
    return connection;
  }

  /** Payload bytes received in DATA frames so far. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Opens a gRPC stream to `/package.Service/Method`. */
  open(path: string, events: RawStreamEvents): RawStream {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#streams.set(id, { events, messages: new MessageSplitter(events.onMessage), consumedBytes: 0 });
    this.#write(frame(HEADERS, END_HEADERS, id, requestHeaders(this.#authority, path)));
    return {
      send: (message) => this.#write(...dataFrames(id, message)),
      halfClose: () => this.#write(frame(DATA, END_STREAM, id, Buffer.alloc(0))),
    };
  }

  /** One unary call; resolves with the response message, rejects if there was none. */
  call(path: string, request: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      let answer: Buffer | undefined;
      const stream = this.open(path, {
        onMessage: (message) => {
          answer = Buffer.from(message);
        },
        onEnd: () => (answer === undefined ? reject(new Error(`${path} was refused`)) : resolve(answer)),
      });
      stream.send(request);
      stream.halfClose();
    });
  }

  close(): void {
    this.#closing = true;
    this.#socket?.end();
  }

  #write(...parts: readonly Buffer[]): void {
    this.#out.push(...parts);
    if (this.#writing) return;
    this.#writing = true;
    queueMicrotask(() => {
      this.#writing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#socket === undefined || this.#out.length === 0) return;
    const bytes = this.#out.length === 1 ? this.#out[0] : Buffer.concat(this.#out);
    if (bytes === undefined) return;
    const written = this.#socket.write(bytes);
    this.#out = written < bytes.length ? [bytes.subarray(Math.max(written, 0))] : [];
  }

  #lost(error?: Error): void {
    if (!this.#closing) fail(`the connection to ${this.#authority} was lost: ${error?.message ?? "closed"}`);
  }

  #receive(chunk: Buffer): void {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) break;
      this.#frame(bytes.readUInt8(3), bytes.readUInt8(4), bytes.readUInt32BE(5), bytes.subarray(9, 9 + length));
      bytes = bytes.subarray(9 + length);
    }
    this.#pending = bytes.length === 0 ? Buffer.alloc(0) : Buffer.from(bytes);
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === DATA) this.#data(id, payload);
    if (type === SETTINGS && (flags & ACK) === 0) this.#write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    if (type === PING && (flags & ACK) === 0) this.#write(frame(PING, ACK, 0, Buffer.from(payload)));
    if (type === GOAWAY && !this.#closing) {
      fail(`${this.#authority} said GOAWAY, error code ${payload.readUInt32BE(4)} ${payload.subarray(8)}`);
    }
    if (type === RST_STREAM) this.#end(id, false);
    if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) this.#end(id, true);
  }

  #data(id: number, payload: Buffer): void {
    this.#receivedBytes += payload.length;
    this.#consumedBytes += payload.length;
    if (this.#consumedBytes >= REFILL_BYTES) {
      this.#write(windowUpdate(0, this.#consumedBytes));
      this.#consumedBytes = 0;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.consumedBytes += payload.length;
    if (stream.consumedBytes >= REFILL_BYTES) {
      this.#write(windowUpdate(id, stream.consumedBytes));
      stream.consumedBytes = 0;
    }
    stream.messages.push(payload);
  }

  #end(id: number, clean: boolean): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.events.onEnd?.(clean);
  }
}

/** Puts gRPC messages together from DATA payloads. */
class MessageSplitter {
  readonly #onMessage: (message: Buffer) => void;
  #pending: Buffer = Buffer.alloc(0);

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(payload: Buffer): void {
    let bytes = this.#pending.length === 0 ? payload : Buffer.concat([this.#pending, payload]);
    while (bytes.length >= 5) {
      const end = 5 + bytes.readUInt32BE(1);
      if (bytes.length < end) break;
      this.#onMessage(bytes.subarray(5, end));
      bytes = bytes.subarray(end);
    }
    this.#pending = bytes.length === 0 ? bytes : Buffer.from(bytes);
  }
}

/** A load generator that has lost its server measures nothing any more. */
function fail(words: string): never {
  console.error(words);
  process.exit(1);
}

function frame(type: number, flags: number, id: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(id, 5);
  bytes.set(payload, 9);
  return bytes;
}

function dataFrames(id: number, message: Uint8Array): readonly Buffer[] {
  const envelope = Buffer.allocUnsafe(5 + message.length);
  envelope.writeUInt8(0, 0);
  envelope.writeUInt32BE(message.length, 1);
  envelope.set(message, 5);
  const frames: Buffer[] = [];
  for (let at = 0; at < envelope.length; at += MAX_FRAME_BYTES) {
    frames.push(frame(DATA, 0, id, envelope.subarray(at, at + MAX_FRAME_BYTES)));
  }
  return frames;
}

function windowUpdate(id: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes, 0);
  return frame(WINDOW_UPDATE, 0, id, payload);
}

function requestHeaders(authority: string, path: string): Buffer {
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
