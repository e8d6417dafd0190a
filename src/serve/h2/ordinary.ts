import { once } from "node:events";
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { UniversalHandlerFn, UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import { messageOf } from "../../base/thrown";
import type { ByteBudget } from "../byte-budget";
import { HeldRequest } from "../held-request";
import { universalRequest } from "../universal-request";
import { dismiss } from "./dismiss";
import type { SessionFlush } from "./session-flush";

export interface OrdinaryParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Requests of the connection that are held. */
  readonly budget: ByteBudget;
  /** Of the connection. */
  readonly flush: SessionFlush;
  /** Of a stream, how large a message of its requests may be, in bytes; `undefined`: it is no stream. */
  readonly streamMessageBytes: number | undefined;
  /** How long the request may take to arrive, in milliseconds; `undefined`: for ever. */
  readonly uploadMs: number | undefined;
  /** How long a client may take nothing of a response, in milliseconds. */
  readonly stallMs: number;
}

/**
 * Answers a call by one of Connect's handlers: every method, codec and encoding but the streaming RPCs in
 * protobuf. No further chunk is asked for before the transport has taken the last one; when the client goes away,
 * the handler's signal aborts. Never rejects: a response that cannot be finished is reset.
 */
export async function serveOrdinary(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handler: UniversalHandlerFn,
  parts: OrdinaryParts,
): Promise<void> {
  const gone = new AbortController();
  stream.once("close", () => gone.abort());
  using held = new HeldRequest(parts.budget, parts.streamMessageBytes);
  using _upload = boundUpload(stream, parts);
  try {
    // The response is still to come, on the same object.
    const body = held.counted(stream.iterator({ destroyOnReturn: false }));
    const { ":method": method, ":path": path } = headers;
    const { signal } = gone;
    const request = universalRequest({ httpVersion: "2.0", method, path, headers, body, signal });
    await respond(stream, await handler(request), signal, parts);
  } catch (error) {
    parts.log.debug("call cut", { path: headers[":path"], error: messageOf(error) });
    if (!stream.destroyed) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

async function respond(
  stream: ServerHttp2Stream,
  answer: UniversalServerResponse,
  gone: AbortSignal,
  { clock, budget, stallMs, flush }: OrdinaryParts,
): Promise<void> {
  if (gone.aborted) return;
  const { trailer } = answer;
  stream.respond({ ":status": answer.status, ...plain(answer.header) }, { waitForTrailers: trailer !== undefined });
  // Trailers are complete only when the body has ended.
  if (trailer !== undefined) {
    stream.once("wantTrailers", () => {
      stream.sendTrailers(plain(trailer));
      flush.soon();
    });
  }
  for await (const chunk of answer.body ?? []) {
    if (gone.aborted) return;
    const hasRoom = stream.write(chunk);
    if (stream.writableLength > 0) flush.soon();
    if (hasRoom) continue;
    using _stall = clock.after(stallMs, () => stream.close(constants.NGHTTP2_CANCEL));
    await once(stream, "drain", { signal: gone });
  }
  if (!stream.readableEnded) stream.on("data", (chunk: Uint8Array) => budget.receive(chunk.length));
  dismiss(stream, clock);
  stream.end();
  flush.soon();
}

function plain(headers: Headers | undefined): OutgoingHttpHeaders {
  return Object.fromEntries(headers ?? []);
}

/** Resets the call of a client that is slower than the limit at sending its request. */
function boundUpload(stream: ServerHttp2Stream, { clock, uploadMs }: OrdinaryParts): Disposable {
  if (uploadMs === undefined) return { [Symbol.dispose]: () => {} };
  return clock.after(uploadMs, () => {
    if (!stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
  });
}
