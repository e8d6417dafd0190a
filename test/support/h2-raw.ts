/**
 * An HTTP/2 client that sees and sends single frames: for what a library would hide or refuse to do.
 * Header blocks are written as plain literals and never decoded.
 */

import { connect, type Socket } from "node:net";
import { until } from "./until";

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTING_INITIAL_WINDOW = 4;
const HEAD_BYTES = 9;
const MAX_FRAME_BYTES = 16_384;
const DEFAULT_WINDOW_BYTES = 65_535;
const MAX_WINDOW_BYTES = 0x7fff_ffff;

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export interface RawClientOptions {
  readonly port: number;
  /** How much the server may send ahead per stream, in bytes; all there can be unless told. */
  readonly windowBytes?: number;
}

/** One connection. */
export class RawH2Client implements Disposable {
  readonly socket: Socket;
  /** All frames received, in order. */
  readonly frames: RawFrame[] = [];
  #pending: Buffer = Buffer.alloc(0);
  #closed = false;
  /** Whether SETTINGS and PINGs are answered. */
  #answering = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#closed = true;
    });
  }

  /** Connects and exchanges prefaces. */
  static async open({ port, windowBytes = MAX_WINDOW_BYTES }: RawClientOptions): Promise<RawH2Client> {
    const client = await RawH2Client.bare(port);
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(SETTING_INITIAL_WINDOW, 0);
    settings.writeUInt32BE(windowBytes, 2);
    client.#answering = true;
    client.socket.write(PREFACE);
    client.send(FRAME.settings, 0, 0, settings);
    client.widen(0, MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
    return client;
  }

  /** Connects and says nothing. */
  static async bare(port: number): Promise<RawH2Client> {
    const socket = connect(port, "127.0.0.1");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve);
    socket.once("error", reject);
    await promise;
    socket.off("error", reject);
    return new RawH2Client(socket);
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): void {
    this.socket.write(rawFrame(type, flags, stream, payload));
  }

  /** Opens a stream by a POST. */
  request(stream: number, path: string, fields: Readonly<Record<string, string>> = {}): void {
    this.send(FRAME.headers, FLAG.endHeaders, stream, headerBlock(path, fields));
  }

  /** Sends bytes of a request's body. */
  data(stream: number, bytes: Uint8Array, end = false): void {
    for (let at = 0; at < bytes.length || at === 0; at += MAX_FRAME_BYTES) {
      const last = at + MAX_FRAME_BYTES >= bytes.length;
      this.send(FRAME.data, last && end ? FLAG.endStream : 0, stream, bytes.subarray(at, at + MAX_FRAME_BYTES));
    }
  }

  /** Lets the server send more. */
  widen(stream: number, bytes: number): void {
    this.send(FRAME.windowUpdate, 0, stream, uint32(bytes));
  }

  reset(stream: number, code = 8): void {
    this.send(FRAME.rstStream, 0, stream, uint32(code));
  }

  framesOf(stream: number): readonly RawFrame[] {
    return this.frames.filter((frame) => frame.stream === stream);
  }

  /** Bytes of response bodies received on a stream. */
  bodyOf(stream: number): Buffer {
    return Buffer.concat(this.framesOf(stream).flatMap(({ type, payload }) => (type === FRAME.data ? [payload] : [])));
  }

  /** Resolves with the first frame received, past or future, that fits. */
  async frame(fits: (frame: RawFrame) => boolean, what: string): Promise<RawFrame> {
    await until(() => this.frames.some(fits), what);
    const found = this.frames.find(fits);
    if (found === undefined) throw new Error(`no ${what}`);
    return found;
  }

  /** Resolves when the server has read everything that was sent before. */
  async readByServer(): Promise<void> {
    const answered = () => this.frames.filter(({ type, flags }) => type === FRAME.ping && flags === FLAG.ack).length;
    const before = answered();
    this.send(FRAME.ping, 0, 0, Buffer.alloc(8));
    await until(() => answered() > before, "the answer to a PING");
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (bytes.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + bytes.readUIntBE(0, 3);
      if (bytes.length < end) break;
      this.#take({
        type: bytes.readUInt8(3),
        flags: bytes.readUInt8(4),
        stream: bytes.readUInt32BE(5),
        payload: bytes.subarray(HEAD_BYTES, end),
      });
      bytes = bytes.subarray(end);
    }
    this.#pending = bytes;
  }

  #take(frame: RawFrame): void {
    this.frames.push(frame);
    const asked = this.#answering && (frame.flags & FLAG.ack) === 0;
    if (frame.type === FRAME.settings && asked) this.send(FRAME.settings, FLAG.ack, 0);
    if (frame.type === FRAME.ping && asked) this.send(FRAME.ping, FLAG.ack, 0, frame.payload);
  }
}

export function rawFrame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

/** The header block of a POST; further fields, and others than gRPC's, as told. */
export function headerBlock(path: string, fields: Readonly<Record<string, string>> = {}): Buffer {
  const all = {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...fields,
  };
  return Buffer.concat(Object.entries(all).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** An HPACK string, not Huffman coded, shorter than 127 bytes. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
}
