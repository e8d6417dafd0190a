import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Status } from "../errors";
import { CONNECT_HEADERS, connectEnd, connectTimeoutMs } from "../framing/connect";
import { GRPC_HEADERS, grpcTimeoutMs, grpcTrailers } from "../framing/grpc";

/** What the two protocols do differently around the same envelopes. */
export interface StreamProtocol {
  readonly name: "grpc" | "connect";
  readonly headers: OutgoingHttpHeaders;
  /** How long the client gives its call, in milliseconds; `undefined`: for ever. */
  timeoutMs(headers: IncomingHttpHeaders): number | undefined;
  /** Ends the response. Nothing may be waiting to be written. */
  end(stream: ServerHttp2Stream, status: Status): void;
}

/** The status is told in trailers. */
export const grpcProtocol: StreamProtocol = {
  name: "grpc",
  headers: GRPC_HEADERS,
  timeoutMs: grpcTimeoutMs,
  end: (stream, status) => {
    stream.once("wantTrailers", () => stream.sendTrailers(grpcTrailers(status)));
    stream.end();
  },
};

/** The status is told in a last envelope. */
export const connectProtocol: StreamProtocol = {
  name: "connect",
  headers: CONNECT_HEADERS,
  timeoutMs: connectTimeoutMs,
  end: (stream, status) => {
    stream.once("wantTrailers", () => stream.sendTrailers({}));
    stream.end(connectEnd(status));
  },
};
