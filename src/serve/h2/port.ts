import { once } from "node:events";
import * as http2 from "node:http2";
import type { Socket } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { listenError } from "../../base/listen-error";
import type { UnaryRpc } from "../api/unary-rpc";
import { SharedBudget } from "../byte-budget";
import type { Certificate } from "../certificate";
import type { StreamHost } from "../stream/host";
import { TlsFront } from "../tls-front";
import type { WebDoor } from "../web/door";
import { Dispatcher, type SharedByStreams } from "./dispatcher";
import { FloodWatch } from "./flood-watch";
import { ConnectionGuard, DEFAULT_GUARD, type GuardOptions, WINDOW_BYTES } from "./guard";
import { replyUnavailable } from "./reply";
import { SessionFlush } from "./session-flush";
import { UnaryTrailers } from "./unary-trailers";

export interface H2Options {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Whether other processes of this machine may listen on the same port; the system spreads connections over them. */
  readonly reusePort?: boolean;
  readonly streams: StreamHost;
  /** Registers what is served. */
  readonly services: (router: ConnectRouter) => void;
  /** Of what they register, the RPCs that gRPC's clients get without Connect in between. None unless told. */
  readonly unary?: readonly UnaryRpc[];
  /** Bytes that one message of a request may have: 25 MiB unless told. */
  readonly maxRequestBytes?: number;
  /** Streams of one connection at once: 10 000 unless told. */
  readonly maxConcurrentStreams?: number;
  readonly guard?: Partial<GuardOptions>;
  /** What requests hold, with what other ports of the process let them; of this port alone unless told. */
  readonly held?: SharedBudget;
  /** With it, the port speaks TLS only, and HTTP/1.1 to those who choose that. */
  readonly tls?: H2Tls | undefined;
}

export interface H2Tls {
  readonly certificate: Certificate;
  /** Answers clients that choose HTTP/1.1. */
  readonly http1: WebDoor;
}

/** The gRPC port, as its owner holds it. Disposing of it cuts what is left. */
export interface H2Server extends AsyncDisposable {
  /** As bound. */
  readonly address: { readonly host: string; readonly port: number };
  readonly connections: number;
  /** Takes no new connection and no new call. Resolves when the last connection is gone. */
  stop(): Promise<void>;
  /** Cuts all connections there are, without a word. */
  kill(): void;
}

const DEFAULT_MAX_REQUEST_BYTES = 25 * 1024 * 1024;
const DEFAULT_MAX_STREAMS = 10_000;
const MAX_HEADER_BYTES = 64 * 1024;
/** What the runtime may hold for one connection, in megabytes. */
const SESSION_MEMORY_MB = 256;

/**
 * Serves gRPC and Connect over HTTP/2.
 * @throws Error that says what to do when the address cannot be listened on.
 */
export async function startH2(options: H2Options): Promise<H2Server> {
  const port = new H2Port(options);
  await port.listen();
  return port;
}

type StreamListener = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

interface Connection extends SharedByStreams {
  readonly session: http2.ServerHttp2Session;
}

class H2Port implements H2Server {
  readonly #options: H2Options;
  readonly #guard: GuardOptions;
  readonly #dispatcher: Dispatcher;
  readonly #server: http2.Http2Server;
  readonly #connections = new Map<http2.Http2Session, Connection>();
  readonly #floods: FloodWatch;
  readonly #held: SharedBudget;
  /** What listens instead of the server, if the port speaks TLS. */
  readonly #front: TlsFront | undefined;
  /** The socket of the session that is announced next. */
  #incoming: Socket | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: H2Options) {
    this.#options = options;
    this.#held = options.held ?? new SharedBudget();
    this.#guard = { ...DEFAULT_GUARD, pingAnswerMs: options.streams.keepaliveMs, ...options.guard };
    const { streams, services, unary = [], maxRequestBytes = DEFAULT_MAX_REQUEST_BYTES } = options;
    this.#dispatcher = new Dispatcher({ streams, services, unary, maxRequestBytes });
    const settings = {
      initialWindowSize: WINDOW_BYTES,
      maxConcurrentStreams: options.maxConcurrentStreams ?? DEFAULT_MAX_STREAMS,
      maxHeaderListSize: MAX_HEADER_BYTES,
    };
    this.#server = http2.createServer({
      settings,
      maxSessionMemory: SESSION_MEMORY_MB,
      // A look at the headers of each response, which are ours.
      strictSingleValueFields: false,
      maxSessionRejectedStreams: this.#guard.refusedStreams,
      streamResetBurst: this.#guard.resetBurst,
      streamResetRate: this.#guard.resetsPerSecond,
    });
    this.#floods = new FloodWatch(options.streams, () => this.#guards());
    this.#server.prependListener("connection", (socket) => {
      this.#incoming = socket;
    });
    this.#server.on("session", (session) => this.#onSession(session));
    // Only "stream": with a "request" listener too, streams that end by trailers of their own never close.
    const onStream: StreamListener = (stream, headers) => this.#onStream(stream, headers);
    this.#server.on("stream", onStream);
    this.#server.on("error", (error) => options.streams.log.error("gRPC port failed", { error: error.message }));
    this.#front = options.tls === undefined ? undefined : this.#tlsFront(options.tls);
  }

  async listen(): Promise<void> {
    const { host, port, reusePort = false } = this.#options;
    this.#floods.start();
    try {
      if (this.#front !== undefined) {
        await this.#front.listen({ host, port, reusePort });
        return;
      }
      const listening = once(this.#server, "listening");
      this.#server.listen({ host, port, reusePort });
      await listening;
    } catch (error) {
      this.#floods[Symbol.dispose]();
      throw listenError({ name: "gRPC port", host, port, setting: "TIDELINE_GRPC_LISTEN" }, error);
    }
  }

  get address(): { readonly host: string; readonly port: number } {
    const address = (this.#front ?? { address: this.#server.address() }).address;
    if (address === null || typeof address === "string") throw new Error("the gRPC port is not listening");
    return { host: address.address, port: address.port };
  }

  get connections(): number {
    return this.#connections.size;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#front === undefined ? this.#stopServer() : this.#stopFront(this.#front);
    return this.#stopped;
  }

  kill(): void {
    for (const { session, guard } of this.#connections.values()) {
      session.destroy();
      guard.socket.destroy();
    }
    this.#connections.clear();
    this.#front?.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.stop();
    this.#floods[Symbol.dispose]();
    this.kill();
    await stopped;
  }

  #stopServer(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** The server has nothing to close: each connection is told by itself. */
  #stopFront(front: TlsFront): Promise<void> {
    const stopped = front.stop();
    this.#options.tls?.http1.stop();
    for (const { session } of this.#connections.values()) session.close();
    return stopped;
  }

  #tlsFront({ certificate, http1 }: H2Tls): TlsFront {
    return new TlsFront({
      certificate,
      onHttp2: (socket) => this.#server.emit("connection", socket),
      onHttp1: (socket) => http1.accept(socket),
      maxConnections: this.#guard.maxConnections,
      handshakeMs: this.#guard.handshakeMs,
      log: this.#options.streams.log,
    });
  }

  *#guards(): Generator<ConnectionGuard> {
    for (const { guard } of this.#connections.values()) yield guard;
  }

  #onSession(session: http2.ServerHttp2Session): void {
    const socket = this.#incoming;
    this.#incoming = undefined;
    if (socket === undefined) {
      session.destroy();
      return;
    }
    const { clock, log, turns } = this.#options.streams;
    const guard = new ConnectionGuard(session, socket, { clock, log, options: this.#guard, held: this.#held });
    const group = turns.group();
    const flush = new SessionFlush(group, socket);
    this.#connections.set(session, { session, guard, group, trailers: new UnaryTrailers(group), flush });
    socket.on("close", () => this.#connections.delete(session));
    if (this.#connections.size > this.#guard.maxConnections) {
      guard.cut("too many connections", http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
  }

  // One function for all streams, because there are many of them.
  readonly #onStreamError = (error: Error) =>
    this.#options.streams.log.debug("stream failed", { error: error.message });

  #onStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
    // Without a listener a reset of one stream would end the process.
    stream.on("error", this.#onStreamError);
    const connection = stream.session === undefined ? undefined : this.#connections.get(stream.session);
    if (connection === undefined) {
      stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    connection.guard.streamOpened();
    stream.on("close", connection.guard.streamClosed);
    if (this.#stopped !== undefined) {
      replyUnavailable(stream);
      return;
    }
    try {
      this.#dispatcher.serve(stream, headers, connection);
    } catch (error) {
      this.#options.streams.log.error("request failed", { error: `${error}` });
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    }
  }
}
