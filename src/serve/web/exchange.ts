import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import { messageOf } from "../../base/thrown";
import { ByteBudget, type SharedBudget } from "../byte-budget";
import { headersFirst, type UniversalHandler } from "../headers-first";
import { HeldRequest } from "../held-request";
import { type ArrivedRequest, universalRequest } from "../universal-request";
import { CORS_HEADERS } from "./cors";

/** What an exchange may take. */
export interface ExchangeLimits {
  /** For the request of anything but a bidi stream to arrive, in milliseconds. */
  readonly uploadMs: number;
  /** Without a client taking any of a response, before its connection is closed, in milliseconds. */
  readonly stallMs: number;
  /** For a client to read the end of a response while it still sends, in milliseconds. */
  readonly lingerMs: number;
  /** Of one message of a request. */
  readonly maxRequestBytes: number;
}

/** One request and its response. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly limits: ExchangeLimits;
  readonly clock: Clock;
  readonly log: Logger;
  /** What requests hold on all connections. */
  readonly held: SharedBudget;
}

/**
 * Answers a request by a handler. The headers of a stream leave at once, and no further chunk is asked for before
 * the client has taken the last one. When the client goes away, the handler's signal aborts.
 *
 * Never rejects: a response that cannot be finished is cut, so that the client does not take it for whole.
 */
export async function serveExchange(exchange: Exchange, handler: UniversalHandler): Promise<void> {
  const { request, response, clock, log, limits } = exchange;
  const { methodKind } = handler.method;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  using held = holdRequest(exchange, methodKind === "unary");
  if (methodKind !== "bidi_streaming") closeUnlessComplete(request, clock, limits.uploadMs);
  try {
    // Whoever stops reading requests early may still have an answer to give: the connection stays.
    const body = held.counted(request.iterator({ destroyOnReturn: false }));
    const answer = await headersFirst(handler)(universalRequest(arrived(request, body, gone.signal)));
    response.writeHead(answer.status, { ...CORS_HEADERS, ...Object.fromEntries(answer.header ?? []) });
    if (methodKind === "unary") await writeWhole(response, answer);
    else await writeStream(exchange, answer, gone.signal);
  } catch (error) {
    log.debug("web call cut", { path: request.url, error: messageOf(error) });
    response.destroy();
  }
  letGo(exchange);
}

/** One request at a time comes over a connection: it is bounded by its size, and by what all hold. */
function holdRequest({ limits, held }: Exchange, isUnary: boolean): HeldRequest {
  const budget = new ByteBudget(Number.POSITIVE_INFINITY, held);
  return new HeldRequest(budget, isUnary ? undefined : limits.maxRequestBytes);
}

function arrived(request: IncomingMessage, body: AsyncIterable<Uint8Array>, signal: AbortSignal): ArrivedRequest {
  const { method, url: path, headers } = request;
  // Connect takes HTTP/1.1 for half-duplex and refuses bidi streams on it. Here both directions flow at once, and
  // who cannot make use of that sends all requests first.
  return { httpVersion: "", method, path, headers, body, signal };
}

async function writeWhole(response: ServerResponse, answer: UniversalServerResponse): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  response.end(Buffer.concat(chunks));
}

async function writeStream(exchange: Exchange, answer: UniversalServerResponse, gone: AbortSignal): Promise<void> {
  const { response } = exchange;
  response.flushHeaders();
  for await (const chunk of answer.body ?? []) {
    if (gone.aborted) return;
    if (!response.write(chunk)) await taken(exchange, gone);
  }
  response.end();
}

/** Resolves when the client has taken what was written. @throws when it is gone, or takes nothing for too long. */
async function taken({ response, clock, limits }: Exchange, gone: AbortSignal): Promise<void> {
  using _stall = clock.after(limits.stallMs, () => response.destroy());
  await once(response, "drain", { signal: gone });
}

/** Closes the connection of a request that has not come to its end within `ms`. */
function closeUnlessComplete(request: IncomingMessage, clock: Clock, ms: number): void {
  const timer = clock.after(ms, () => request.destroy());
  const done = () => timer[Symbol.dispose]();
  request.once("end", done).once("close", done);
}

/** Reads nothing more: a client that still sends would keep the connection for nothing. */
export function letGo({ request, clock, limits }: Exchange): void {
  if (request.complete || request.destroyed) return;
  request.resume();
  closeUnlessComplete(request, clock, limits.lingerMs);
}
