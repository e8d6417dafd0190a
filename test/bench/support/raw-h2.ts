/**
 * A gRPC client over HTTP/2 that does as little as possible, so that a load generator is not what is measured.
 *
 * It speaks h2c by prior knowledge, opens its own flow-control windows wide, writes headers as plain literals,
 * never decodes headers, and hands out the payload of DATA frames without copying. Good for loopback
 * and for servers that behave; anything unexpected ends the run.
 */

import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  envelope,
  frame,
  GOAWAY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  MAX_FRAME_BYTES,
  MessageSplitter,
  NOTHING,
  PING,
  PREFACE,
  RST_STREAM,
  requestHeaders,
  SETTINGS,
  WINDOW_UPDATE,
  windowUpdate,
} from "./raw-h2-frames";

const WINDOW_BYTES = 0x7fff_ffff;
/** How much of a window is used up before it is refilled. */
const REFILL_BYTES = 1 << 29;
/** What a connection and its streams may be sent until the server says more. */
const DEFAULT_WINDOW_BYTES = 65_535;

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
  /** How many bytes the server still takes. */
  sendBytes: number;
}

/** Bytes of a stream that wait for the server's windows. */
interface Sending {
  readonly id: number;
  readonly payload: Buffer;
  at: number;
  readonly last: boolean;
}

/** One HTTP/2 connection. */
export class RawConnection {
  readonly #streams = new Map<number, StreamState>();
  readonly #authority: string;
  #socket: import("bun").Socket<undefined> | undefined;
  #out: Buffer[] = [];
  #writing = false;
  #pending: Buffer = NOTHING;
  #nextId = 1;
  /** Header blocks by path. */
  readonly #headers = new Map<string, Buffer>();
  #consumedBytes = 0;
  #receivedBytes = 0;
  #closing = false;
  /** What is to be sent, in order; its head waits for a window. */
  readonly #sending: Sending[] = [];
  #sendBytes = DEFAULT_WINDOW_BYTES;
  #streamWindowBytes = DEFAULT_WINDOW_BYTES;

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
    settings.writeUInt16BE(INITIAL_WINDOW_SIZE, 6);
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
    const messages = new MessageSplitter(events.onMessage);
    this.#streams.set(id, { events, messages, consumedBytes: 0, sendBytes: this.#streamWindowBytes });
    this.#write(frame(HEADERS, END_HEADERS, id, this.#headersOf(path)));
    return {
      send: (message) => this.#send({ id, payload: envelope(message), at: 0, last: false }),
      halfClose: () => this.#send({ id, payload: NOTHING, at: 0, last: true }),
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

  #headersOf(path: string): Buffer {
    const known = this.#headers.get(path);
    if (known !== undefined) return known;
    const headers = requestHeaders(this.#authority, path);
    this.#headers.set(path, headers);
    return headers;
  }

  close(): void {
    this.#closing = true;
    this.#socket?.end();
  }

  #send(sending: Sending): void {
    this.#sending.push(sending);
    if (this.#sending.length === 1) this.#pump();
  }

  /** Sends what the windows of the connection and of the stream at the head allow. */
  #pump(): void {
    for (let head = this.#sending[0]; head !== undefined; head = this.#sending[0]) {
      const stream = this.#streams.get(head.id);
      while (stream !== undefined && head.at < head.payload.length) {
        const bytes = Math.min(head.payload.length - head.at, this.#sendBytes, stream.sendBytes, MAX_FRAME_BYTES);
        if (bytes <= 0) return;
        this.#write(frame(DATA, 0, head.id, head.payload.subarray(head.at, head.at + bytes)));
        head.at += bytes;
        this.#sendBytes -= bytes;
        stream.sendBytes -= bytes;
      }
      if (stream !== undefined && head.last) this.#write(frame(DATA, END_STREAM, head.id, NOTHING));
      this.#sending.shift();
    }
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
    this.#pending = bytes.length === 0 ? NOTHING : Buffer.from(bytes);
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === DATA) this.#data(id, payload);
    if (type === SETTINGS && (flags & ACK) === 0) this.#settings(payload);
    if (type === WINDOW_UPDATE) this.#widen(id, payload.readUInt32BE(0));
    if (type === PING && (flags & ACK) === 0) this.#write(frame(PING, ACK, 0, Buffer.from(payload)));
    if (type === GOAWAY && !this.#closing) {
      fail(`${this.#authority} said GOAWAY, error code ${payload.readUInt32BE(4)} ${payload.subarray(8)}`);
    }
    if (type === RST_STREAM) this.#end(id, false);
    if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) this.#end(id, true);
  }

  #settings(payload: Buffer): void {
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== INITIAL_WINDOW_SIZE) continue;
      const change = payload.readUInt32BE(at + 2) - this.#streamWindowBytes;
      this.#streamWindowBytes += change;
      for (const stream of this.#streams.values()) stream.sendBytes += change;
    }
    this.#write(frame(SETTINGS, ACK, 0, NOTHING));
    this.#pump();
  }

  #widen(id: number, bytes: number): void {
    const stream = this.#streams.get(id);
    if (id === 0) this.#sendBytes += bytes;
    else if (stream !== undefined) stream.sendBytes += bytes;
    this.#pump();
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

/** A load generator that has lost its server measures nothing any more. */
function fail(words: string): never {
  console.error(words);
  process.exit(1);
}
