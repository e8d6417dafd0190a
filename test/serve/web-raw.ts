/** HTTP/1.1 by hand, to see what really is on the wire and when. */

import { connect, type Socket } from "node:net";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { until } from "../support/until";

/** A connection whose received bytes are kept, one character each. */
export class RawConnection implements Disposable {
  readonly socket: Socket;
  #received = "";
  #closed = false;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.setEncoding("latin1");
    this.socket.on("data", (chunk: string) => {
      this.#received += chunk;
    });
    this.socket.on("close", () => {
      this.#closed = true;
    });
    this.socket.on("error", () => {});
  }

  get received(): string {
    return this.#received;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The status line and headers of the response, in lower case, once they are complete. */
  async head(): Promise<string> {
    await this.arrived("\r\n\r\n");
    return this.#received.slice(0, this.#received.indexOf("\r\n\r\n")).toLowerCase();
  }

  /** Resolves when this text was received. */
  arrived(text: string): Promise<void> {
    return until(() => this.#received.includes(text), `receive ${JSON.stringify(text)}`);
  }

  /** Sends a request with a body of known length. */
  request(line: string, headers: Readonly<Record<string, string>>, body: Uint8Array = new Uint8Array()): void {
    const lines = Object.entries({ host: "localhost", "content-length": `${body.length}`, ...headers });
    this.socket.write(`${line} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
    this.socket.write(body);
  }

  /** Begins a request whose body comes in pieces. */
  requestInPieces(line: string, headers: Readonly<Record<string, string>>): void {
    const lines = Object.entries({ host: "localhost", "transfer-encoding": "chunked", ...headers });
    this.socket.write(`${line} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  }

  /** The next piece of such a body; an empty one ends it. */
  piece(bytes: Uint8Array): void {
    this.socket.write(`${bytes.length.toString(16)}\r\n`);
    this.socket.write(bytes);
    this.socket.write("\r\n");
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** A message in the envelope that gRPC-Web and Connect's streams share. */
export function envelope<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Uint8Array {
  const bytes = toBinary(schema, create(schema, message));
  const head = new Uint8Array(5);
  new DataView(head.buffer).setUint32(1, bytes.length);
  return Buffer.concat([head, bytes]);
}
