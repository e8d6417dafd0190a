import * as http2 from "node:http2";
import type { Socket } from "node:net";
import { ConnectionGuard, DEFAULT_GUARD, type GuardOptions } from "./guard";
import { replyRefused, replyUnavailable, replyUnimplemented } from "./h2-reply";
import { type RouteTable, routeOf, type StreamRoute } from "./h2-route";
import type { StreamRpc } from "./h2-rpc";
import { openRawStream, type RawStreamParts } from "./h2-stream";
import type { StreamHost } from "./runner-host";
import type { TurnGroup } from "./turn";

/** Takes requests as an HTTP server would hand them over: what `connectNodeAdapter` returns. */
export type OrdinaryHandler = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;

export interface H2Options {
  readonly hostname: string;
  /** 0: one that the system chooses. */
  readonly port: number;
  readonly host: StreamHost;
  /** The streaming RPCs. */
  readonly rpcs: readonly StreamRpc[];
  /** `/package.Service/Method` of all methods that are implemented, the streaming ones included. */
  readonly served: ReadonlySet<string>;
  /** Serves every method and codec that is not a streaming RPC in protobuf. */
  readonly ordinary: OrdinaryHandler;
  /** The longest request of a stream, in bytes: 25 MiB unless told. */
  readonly maxRequestBytes?: number;
  /** Streams of one connection at once: 10 000 unless told. */
  readonly maxConcurrentStreams?: number;
  readonly guard?: Partial<GuardOptions>;
}

/** The gRPC port, as its owner holds it. Disposing of it cuts what is left. */
export interface H2Server extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string;
  readonly connections: number;
  /** Takes no new connection and no new call, and resolves when the last connection is gone. */
  close(): Promise<void>;
  /** Cuts all connections. */
  kill(): void;
}

const DEFAULT_MAX_REQUEST_BYTES = 25 * 1024 * 1024;
const DEFAULT_MAX_STREAMS = 10_000;
/** How much a client may send ahead, per stream and per connection. They must be equal, or uploads may stall for ever. */
const WINDOW_BYTES = 1024 * 1024;
const MAX_HEADER_BYTES = 64 * 1024;
/** What the runtime may hold for one connection, in megabytes. */
const SESSION_MEMORY_MB = 256;

/** Serves gRPC and Connect over HTTP/2 without TLS. Rejects if the address cannot be bound. */
export async function startH2(options: H2Options): Promise<H2Server> {
  const port = new H2Port(options);
  await port.listen();
  return port;
}

type StreamListener = (
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  flags: number,
  rawHeaders: string[],
) => void;

interface Connection {
  readonly session: http2.ServerHttp2Session;
  readonly socket: Socket;
  readonly guard: ConnectionGuard;
  readonly group: TurnGroup;
}

class H2Port implements H2Server {
  readonly #options: H2Options;
  readonly #guard: GuardOptions;
  readonly #table: RouteTable;
  readonly #server: http2.Http2Server;
  readonly #connections = new Map<http2.Http2Session, Connection>();
  /** The socket of the session that is announced next. */
  #incoming: Socket | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: H2Options) {
    this.#options = options;
    this.#guard = { ...DEFAULT_GUARD, ...options.guard };
    this.#table = { rpcs: new Map(options.rpcs.map((rpc) => [rpc.path, rpc])), served: options.served };
    const settings = {
      initialWindowSize: WINDOW_BYTES,
      maxConcurrentStreams: options.maxConcurrentStreams ?? DEFAULT_MAX_STREAMS,
      maxHeaderListSize: MAX_HEADER_BYTES,
    };
    this.#server = http2.createServer({
      settings,
      maxSessionMemory: SESSION_MEMORY_MB,
      streamResetBurst: this.#guard.resetBurst,
      streamResetRate: this.#guard.resetsPerSecond,
    });
    this.#server.prependListener("connection", (socket) => {
      this.#incoming = socket;
    });
    this.#server.on("session", (session) => this.#onSession(session));
    // Only "stream": with a "request" listener too, streams that end by trailers of their own never close.
    const onStream: StreamListener = (stream, headers, _, rawHeaders) => this.#onStream(stream, headers, rawHeaders);
    this.#server.on("stream", onStream);
    this.#server.on("error", (error) => options.host.log.error("gRPC port failed", { error: error.message }));
  }

  async listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(this.#options.port, this.#options.hostname, resolve);
    await promise;
    this.#server.off("error", reject);
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") return `${address ?? "closed"}`;
    return address.family === "IPv6" ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
  }

  get connections(): number {
    return this.#connections.size;
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => this.#server.close(() => resolve()));
    return this.#closed;
  }

  kill(): void {
    for (const { session, socket } of this.#connections.values()) {
      session.destroy();
      socket.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.close();
    this.kill();
    await closed;
  }

  #onSession(session: http2.ServerHttp2Session): void {
    const socket = this.#incoming;
    this.#incoming = undefined;
    if (socket === undefined) {
      session.destroy();
      return;
    }
    const { clock, log, turns } = this.#options.host;
    const guard = new ConnectionGuard(session, socket, { clock, log, options: this.#guard });
    this.#connections.set(session, { session, socket, guard, group: turns.group() });
    socket.on("close", () => this.#connections.delete(session));
    if (this.#connections.size > this.#guard.maxConnections) {
      guard.cut("too many connections", http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
  }

  #onStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, rawHeaders: string[]): void {
    // Without a listener a reset of one stream would end the process.
    stream.on("error", (error: Error) => this.#options.host.log.debug("stream failed", { error: error.message }));
    const connection = stream.session === undefined ? undefined : this.#connections.get(stream.session);
    if (connection === undefined) {
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    connection.guard.streamOpened();
    stream.once("close", () => connection.guard.streamClosed());
    if (this.#closed !== undefined) {
      replyUnavailable(stream);
      return;
    }
    try {
      this.#serve(stream, headers, rawHeaders, connection);
    } catch (error) {
      this.#options.host.log.error("request failed", { error: `${error}` });
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    }
  }

  #serve(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    rawHeaders: string[],
    connection: Connection,
  ): void {
    const route = routeOf(headers, this.#table);
    switch (route.kind) {
      case "stream":
        openRawStream(stream, headers, this.#partsOf(connection, route));
        break;
      case "ordinary":
        this.#options.ordinary(
          new http2.Http2ServerRequest(stream, headers, {}, rawHeaders),
          new http2.Http2ServerResponse(stream),
        );
        break;
      case "unimplemented":
        replyUnimplemented(stream, route.message);
        break;
      case "refused":
        replyRefused(stream, route.status, route.words);
        break;
      default:
        route satisfies never;
    }
  }

  #partsOf({ guard, group }: Connection, { rpc, protocol }: StreamRoute): RawStreamParts {
    const { host, maxRequestBytes = DEFAULT_MAX_REQUEST_BYTES } = this.#options;
    return { host, rpc, protocol, group, budget: guard.budget, maxRequestBytes };
  }
}
