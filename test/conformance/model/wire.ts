/** gRPC on HTTP/2, from the server's side, as far as the model needs it. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { STATUS, type Status } from "./status";

const HEAD_BYTES = 5;
const MAX_REQUEST_BYTES = 25 * 1024 * 1024;
const HEADERS: OutgoingHttpHeaders = { ":status": 200, "content-type": "application/grpc+proto" };

/** One call as its handler sees it. */
export class ModelCall {
  readonly #stream: ServerHttp2Stream;
  #hasHeaders = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    stream.on("error", () => {});
  }

  /** Hands over whole requests, then the half-close. What is no message ends the call. */
  read(onMessage: (bytes: Uint8Array) => void, onEnd: () => void, onFault: (status: Status) => void): void {
    let pending: Buffer = Buffer.alloc(0);
    let failed = false;
    const fault = (code: number, words: string) => {
      failed = true;
      onFault({ code, words });
    };
    this.#stream.on("data", (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (!failed && pending.length >= HEAD_BYTES) {
        const length = pending.readUInt32BE(1);
        const flags = pending.readUInt8(0);
        if (flags !== 0) fault(STATUS.internal, `an envelope with flags ${flags}, though no encoding was named`);
        else if (length > MAX_REQUEST_BYTES) {
          fault(
            STATUS.resourceExhausted,
            `a request may have ${MAX_REQUEST_BYTES} bytes, this one announced ${length}`,
          );
        }
        if (failed || pending.length < HEAD_BYTES + length) return;
        onMessage(pending.subarray(HEAD_BYTES, HEAD_BYTES + length));
        pending = pending.subarray(HEAD_BYTES + length);
      }
    });
    this.#stream.on("end", () => {
      if (failed) return;
      if (pending.length > 0) fault(STATUS.invalidArgument, "the requests ended within one");
      else onEnd();
    });
  }

  /** Calls back when the peer is gone, or all is said. */
  onClose(callback: () => void): void {
    this.#stream.on("close", callback);
  }

  sendHeaders(): void {
    if (this.#hasHeaders || this.#stream.destroyed) return;
    this.#hasHeaders = true;
    this.#stream.respond(HEADERS, { waitForTrailers: true });
  }

  /** `done`: there is room for more. */
  send(message: Uint8Array, done: () => void): void {
    if (this.#stream.destroyed) return;
    this.sendHeaders();
    const bytes = Buffer.alloc(HEAD_BYTES + message.length);
    bytes.writeUInt32BE(message.length, 1);
    bytes.set(message, HEAD_BYTES);
    this.#stream.write(bytes, done);
  }

  /** Ends the call, with trailers, or in its first HEADERS frame if there was none yet. */
  end(status: Status): void {
    if (this.#stream.destroyed) return;
    // What the client still says is thrown away, and it is told to stop.
    this.#stream.once("finish", () => this.#stream.close());
    if (!this.#hasHeaders) {
      this.#stream.resume();
      this.#stream.respond({ ...HEADERS, ...trailersOf(status) }, { endStream: true });
      return;
    }
    this.#stream.once("wantTrailers", () => this.#stream.sendTrailers(trailersOf(status)));
    this.#stream.end();
  }

  /** Answers what is no gRPC. */
  refuse(httpStatus: number): void {
    this.#stream.resume();
    this.#stream.respond({ ":status": httpStatus }, { endStream: true });
  }
}

/** What keeps a request from being looked at, by its headers. */
export function faultOf(headers: IncomingHttpHeaders): { readonly http: number } | Status | undefined {
  if (headers[":method"] !== "POST") return { http: 405 };
  if (!/^application\/grpc(\+proto)?(;|$)/.test(headers["content-type"] ?? "")) return { http: 415 };
  const encoding = headers["grpc-encoding"] ?? "identity";
  return encoding === "identity" ? undefined : { code: STATUS.unimplemented, words: "no compression is known here" };
}

function trailersOf({ code, words }: Status): OutgoingHttpHeaders {
  const status = { "grpc-status": `${code}` };
  return words === "" ? status : { ...status, "grpc-message": encodeURIComponent(words).replaceAll("%20", " ") };
}
