import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import { Code, type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import { unimplementedMessage } from "../api/services";
import { SharedBudget } from "../byte-budget";
import type { UniversalHandler } from "../headers-first";
import { CORS_HEADERS, PREFLIGHT_HEADERS } from "./cors";
import { type Exchange, type ExchangeLimits, letGo, serveExchange } from "./exchange";

export interface WebDoorOptions {
  /** Registers what is served. */
  readonly services: (router: ConnectRouter) => void;
  /** Bytes that one message of a request may have. */
  readonly maxRequestBytes: number;
  /** What requests hold, with what other ports of the process let them; of this door alone unless told. */
  readonly held?: SharedBudget;
  /** Milliseconds without a client taking any of a response, before its connection is closed. */
  readonly stallMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const UPLOAD_MS = 60_000;
const LINGER_MS = 1_000;
/** For the headers of a request to arrive. */
const HEADERS_MS = 20_000;
/** For a next request on a connection: longer than proxies in front usually keep theirs. */
const KEEP_ALIVE_MS = 75_000;

/** Content types that Connect reads: of unary RPCs, and of streams. */
const CONTENT_TYPES = "application/grpc-web, application/proto, application/json, application/connect+proto or +json";

/** Connect takes it for gRPC-Web, but does not speak it. */
const GRPC_WEB_TEXT = /^application\/grpc-web-text/i;

/**
 * Answers gRPC-Web and Connect over HTTP/1.1: on what `server` listens to, or on connections that somebody else has
 * accepted and hands over.
 */
export class WebDoor {
  readonly server: Server;
  readonly #clock: Clock;
  /** Of each connection that was handed over: closes it unless a request comes. */
  readonly #patience = new Map<Socket, Disposable>();
  #stopping = false;

  constructor(options: WebDoorOptions) {
    const { clock, log, stallMs, maxRequestBytes, held = new SharedBudget() } = options;
    const router = createConnectRouter({ grpc: false, readMaxBytes: maxRequestBytes });
    options.services(router);
    const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
    const limits: ExchangeLimits = { uploadMs: UPLOAD_MS, stallMs, lingerMs: LINGER_MS, maxRequestBytes };
    this.#clock = clock;
    this.server = createServer({ headersTimeout: HEADERS_MS, keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 });
    this.server.on("request", (request, response) => {
      // Without listeners a client that vanishes would end the process.
      request.on("error", (error) => log.debug("web request failed", { error: error.message }));
      response.on("error", (error) => log.debug("web response failed", { error: error.message }));
      this.#hold(request.socket);
      response.on("close", () => this.#rest(request.socket));
      answer({ request, response, limits, clock, log, held }, handlers);
    });
    this.server.on("clientError", (_error, socket) => socket.destroy());
  }

  /**
   * Answers on a connection that somebody else has accepted. One that says nothing for too long is closed here,
   * because the server does that only on what it listens to.
   */
  accept(socket: Socket): void {
    this.#patience.set(socket, this.#closeAfter(socket, HEADERS_MS));
    socket.on("close", () => this.#forget(socket));
    this.server.emit("connection", socket);
  }

  /** From now on no connection is kept for another request. */
  stop(): void {
    this.#stopping = true;
    this.server.closeIdleConnections();
  }

  #hold(socket: Socket): void {
    this.#patience.get(socket)?.[Symbol.dispose]();
  }

  #rest(socket: Socket): void {
    if (this.#stopping) this.server.closeIdleConnections();
    else if (this.#patience.has(socket)) this.#patience.set(socket, this.#closeAfter(socket, KEEP_ALIVE_MS));
  }

  #forget(socket: Socket): void {
    this.#hold(socket);
    this.#patience.delete(socket);
  }

  #closeAfter(socket: Socket, ms: number): Disposable {
    return this.#clock.after(ms, () => socket.destroy());
  }
}

function answer(exchange: Exchange, handlers: ReadonlyMap<string, UniversalHandler>): void {
  const { request } = exchange;
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const handler = handlers.get(path);
  if (request.method === "OPTIONS") say(exchange, { status: 204, headers: PREFLIGHT_HEADERS });
  else if (handler === undefined) say(exchange, unknownPath(request, path));
  else if (request.method !== "POST") say(exchange, wrongMethod(request, path));
  else if (!speaks(handler, request))
    say(exchange, { status: 415, body: `wanted a content type of ${CONTENT_TYPES}\n` });
  else void serveExchange(exchange, handler);
}

/** An answer that is no RPC's. */
interface Words {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function say(exchange: Exchange, { status, headers, body }: Words): void {
  const { response } = exchange;
  const type = body === undefined ? {} : { "content-type": "text/plain; charset=utf-8" };
  response.writeHead(status, { ...CORS_HEADERS, ...type, ...headers });
  response.end(body);
  letGo(exchange);
}

/** A path that is not served. Whoever called an RPC is told in the words of its protocol. */
function unknownPath(request: IncomingMessage, path: string): Words {
  const contentType = request.headers["content-type"] ?? "";
  const message = unimplementedMessage(path);
  if (request.method !== "POST" || path.split("/").length !== 3) {
    return { status: 404, body: "this port serves gRPC-Web and Connect: POST /package.Service/Method\n" };
  }
  if (contentType.startsWith("application/grpc-web")) {
    const status = { "grpc-status": `${Code.Unimplemented}`, "grpc-message": encodeURIComponent(message) };
    return { status: 200, headers: { "content-type": contentType, ...status } };
  }
  const body = JSON.stringify({ code: "unimplemented", message });
  return { status: 404, headers: { "content-type": "application/json" }, body };
}

function wrongMethod(request: IncomingMessage, path: string): Words {
  const body = `${path} is called by POST, not ${request.method}\n`;
  return { status: 405, headers: { allow: "POST, OPTIONS" }, body };
}

function speaks(handler: UniversalHandler, request: IncomingMessage): boolean {
  const contentType = request.headers["content-type"] ?? "";
  return handler.supportedContentType(contentType) && !GRPC_WEB_TEXT.test(contentType);
}
