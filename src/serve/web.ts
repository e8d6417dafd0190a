/**
 * The web port: gRPC-Web and Connect over HTTP/1.1, for browsers and for whoever has no gRPC.
 *
 * It is node:http and not Bun.serve, which holds the end of a response's headers back until the first byte of its
 * body: a client that subscribes to a silent topic would wait for ever to be let in.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { Code, type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import { unimplementedMessage } from "./services";
import type { UniversalHandler } from "./services-head";
import { CORS_HEADERS, PREFLIGHT_HEADERS } from "./web-cors";
import { type Exchange, type ExchangeLimits, letGo, serveExchange } from "./web-exchange";

export interface WebOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Registers what is served. */
  readonly services: (router: ConnectRouter) => void;
  /** Bytes that one message of a request may have. */
  readonly maxRequestBytes: number;
  /** Milliseconds without a client taking any of a response, before its connection is closed. */
  readonly stallMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A web port that is listened on. Disposing of it cuts what is still open. */
export interface WebServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes no new connection. Resolves when the last one is closed. */
  stop(): Promise<void>;
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
 * Listens on the web port.
 * @throws Error that says what to do when the address cannot be listened on.
 */
export async function startWeb(options: WebOptions): Promise<WebServer> {
  const { clock, log, stallMs } = options;
  const router = createConnectRouter({ grpc: false, readMaxBytes: options.maxRequestBytes });
  options.services(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const limits: ExchangeLimits = { uploadMs: UPLOAD_MS, stallMs, lingerMs: LINGER_MS };
  const server = createServer({ headersTimeout: HEADERS_MS, keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 });
  server.on("request", (request, response) => {
    // Without listeners a client that vanishes would end the process.
    request.on("error", (error) => log.debug("web request failed", { error: error.message }));
    response.on("error", (error) => log.debug("web response failed", { error: error.message }));
    answer({ request, response, limits, clock }, handlers);
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  const { port } = await listen(server, options);
  return {
    address: { host: options.host, port },
    stop: () => close(server),
    [Symbol.asyncDispose]: async () => {
      const closed = close(server);
      server.closeAllConnections();
      await closed;
    },
  };
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

async function listen(server: Server, { host, port }: WebOptions): Promise<{ readonly port: number }> {
  const listening = once(server, "listening");
  server.listen(port, host);
  try {
    await listening;
  } catch (error) {
    throw new Error(`the web port ${host}:${port} cannot be listened on: ${wordsOf(error)}`, { cause: error });
  }
  server.on("error", () => {});
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : port };
}

function wordsOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return "another program has it; stop that one, or set TIDELINE_WEB_LISTEN";
  if (code === "EACCES") return "it takes more rights; set TIDELINE_WEB_LISTEN to a port above 1023";
  return error instanceof Error ? error.message : `${error}`;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  await closed;
}
