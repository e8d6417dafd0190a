/** Answers that need no handler. */

import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { Clock } from "../../base/clock";
import type { ByteBudget } from "../byte-budget";
import { grpcTrailersOnly } from "../framing/grpc";
import { dismiss } from "./dismiss";
import type { Route } from "./route";

export interface ReplyParts {
  readonly clock: Clock;
  /** Of the connection. */
  readonly budget: ByteBudget;
}

/** Ends a gRPC call in its first HEADERS frame: what native clients take as "not served here". */
export function replyUnimplemented(stream: ServerHttp2Stream, message: string, parts: ReplyParts): void {
  ignoreRequest(stream, parts);
  stream.respond(grpcTrailersOnly({ code: Code.Unimplemented, message }), { endStream: true });
}

/** Ends a gRPC call because the node is going down. Nothing was done: it may be called again, elsewhere. */
export function replyUnavailable(stream: ServerHttp2Stream): void {
  stream.close(constants.NGHTTP2_REFUSED_STREAM);
}

/** Answers what is no RPC in plain words. */
export function replyRefused(
  stream: ServerHttp2Stream,
  { status, words }: Route & { readonly kind: "refused" },
  parts: ReplyParts,
): void {
  ignoreRequest(stream, parts);
  const headers: OutgoingHttpHeaders = { ":status": status, "content-type": "text/plain; charset=utf-8" };
  stream.respond(headers);
  stream.end(`${words}\n`);
}

function ignoreRequest(stream: ServerHttp2Stream, { clock, budget }: ReplyParts): void {
  stream.on("data", (chunk: Uint8Array) => budget.receive(chunk.length));
  dismiss(stream, clock);
}
