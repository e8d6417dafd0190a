/** Answers that need no handler. */

import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import { grpcTrailersOnly } from "../framing/grpc";

/** Ends a gRPC call in its first HEADERS frame: what native clients take as "not served here". */
export function replyUnimplemented(stream: ServerHttp2Stream, message: string): void {
  replyWith(stream, grpcTrailersOnly({ code: Code.Unimplemented, message }));
}

/** Ends a gRPC call because the node is going down. Nothing was done: it may be called again, elsewhere. */
export function replyUnavailable(stream: ServerHttp2Stream): void {
  stream.close(constants.NGHTTP2_REFUSED_STREAM);
}

/** Answers what is no RPC in plain words. */
export function replyRefused(stream: ServerHttp2Stream, status: number, words: string): void {
  replyWith(stream, { ":status": status, "content-type": "text/plain; charset=utf-8" }, `${words}\n`);
}

function replyWith(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders, body?: string): void {
  // Nobody reads the request: its bytes are thrown away, and the client is told to stop.
  stream.resume();
  stream.once("finish", () => stream.close(constants.NGHTTP2_NO_ERROR));
  if (body === undefined) {
    stream.respond(headers, { endStream: true });
    return;
  }
  stream.respond(headers);
  stream.end(body);
}
