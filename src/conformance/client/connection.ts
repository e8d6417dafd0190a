import http2 from "node:http2";
import { decodeMessageField, type Status } from "./grpc";

/** What happens to a call, in order. Nothing is called after `ended`. */
export interface CallEvents {
  /** Response headers came, and they are not the end. */
  headers(headers: http2.IncomingHttpHeaders): void;
  data(chunk: Buffer): void;
  ended(end: CallEnd): void;
}

export interface CallEnd extends Status {
  /** The status of HTTP; `undefined` if there was no response at all. */
  readonly httpStatus: number | undefined;
  /** The error code of an RST_STREAM; `undefined` if the response ended as a response should. */
  readonly resetCode: number | undefined;
  readonly headers: http2.IncomingHttpHeaders;
}

/** One call under way. */
export interface Call {
  write(bytes: Uint8Array): void;
  /** Half-close. */
  end(): void;
  /** RST_STREAM with CANCEL. */
  cancel(): void;
  /** Reads no more: the server may send what the window has room for. */
  pause(): void;
  resume(): void;
}

export interface ConnectionOptions {
  /** Base URL of the server: http (h2c) or https. */
  readonly address: string;
  /** How much the server may send ahead per stream, in bytes. */
  readonly windowBytes?: number;
}

const DEFAULT_WINDOW_BYTES = 1 << 20;

/** One HTTP/2 connection to the server, kept as plain as can be, so that what is on the wire is seen. */
export class Connection implements Disposable {
  readonly #session: http2.ClientHttp2Session;
  readonly #closed: Promise<void>;

  constructor({ address, windowBytes = DEFAULT_WINDOW_BYTES }: ConnectionOptions) {
    this.#session = http2.connect(address, { settings: { initialWindowSize: windowBytes, enablePush: false } });
    // What goes wrong with the connection shows in its calls.
    this.#session.on("error", () => {});
    this.#closed = new Promise((resolve) => this.#session.on("close", resolve));
  }

  /** Resolves when the connection is over. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Begins a call by a POST; further header fields, and others than gRPC's, as told. */
  call(path: string, events: CallEvents, fields: http2.OutgoingHttpHeaders = {}): Call {
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...fields };
    const stream = this.#session.request(headers);
    new CallEnding(stream, events);
    stream.on("data", (chunk: Buffer) => events.data(chunk));
    return {
      write: (bytes) => void (stream.writable && stream.write(bytes)),
      end: () => void stream.end(),
      cancel: () => stream.close(http2.constants.NGHTTP2_CANCEL),
      pause: () => void stream.pause(),
      resume: () => void stream.resume(),
    };
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

/** Puts together how a call ended: from headers, trailers, the end of the body, a reset. */
class CallEnding {
  readonly #stream: http2.ClientHttp2Stream;
  readonly #events: CallEvents;
  #headers: http2.IncomingHttpHeaders = {};
  #trailers: http2.IncomingHttpHeaders | undefined;
  #httpStatus: number | undefined;
  #trailersOnly = false;
  #bodyEnded = false;
  #trouble = "";

  constructor(stream: http2.ClientHttp2Stream, events: CallEvents) {
    this.#stream = stream;
    this.#events = events;
    stream.on("response", (headers, flags) => {
      this.#headers = headers;
      this.#httpStatus = headers[":status"];
      this.#trailersOnly = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      if (!this.#trailersOnly) events.headers(headers);
    });
    stream.on("trailers", (trailers) => {
      this.#trailers = trailers;
    });
    stream.on("end", () => {
      this.#bodyEnded = true;
      // Nothing follows: let go of the stream, should the server wait for our half.
      if (stream.writable) stream.end();
    });
    stream.on("error", (error: Error) => {
      this.#trouble = error.message;
    });
    stream.on("close", () => this.#onClose());
  }

  #onClose(): void {
    const fields = this.#trailersOnly ? this.#headers : (this.#trailers ?? {});
    const code = fields["grpc-status"];
    const { rstCode = 0 } = this.#stream;
    const ended = this.#bodyEnded || this.#trailersOnly;
    this.#events.ended({
      code: typeof code === "string" && /^\d+$/.test(code) ? Number(code) : undefined,
      message: code === undefined ? this.#withoutStatus() : decodeMessageField(`${fields["grpc-message"] ?? ""}`),
      trailersOnly: this.#trailersOnly,
      httpStatus: this.#httpStatus,
      resetCode: rstCode === 0 && ended ? undefined : rstCode,
      headers: this.#headers,
    });
  }

  #withoutStatus(): string {
    if (this.#trouble !== "") return this.#trouble;
    return this.#httpStatus === undefined ? "no response" : `HTTP status ${this.#httpStatus}`;
  }
}
