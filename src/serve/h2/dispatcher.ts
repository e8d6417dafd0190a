import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { ConnectRouter } from "@connectrpc/connect";
import type { UnaryRpc } from "../api/unary-rpc";
import type { StreamHost } from "../stream/host";
import type { TurnGroup } from "../stream/turn";
import { FrameEncoder } from "./frame-encoder";
import type { ConnectionGuard } from "./guard";
import { serveOrdinary } from "./ordinary";
import { openRawStream, type RawStreamParts } from "./raw-stream";
import { openRawUnary } from "./raw-unary";
import { replyRefused, replyUnimplemented } from "./reply";
import { type RouteTable, routeOf, type StreamRoute } from "./route";
import { routeTable } from "./route-table";
import type { SessionFlush } from "./session-flush";
import type { UnaryTrailers } from "./unary-trailers";

export interface DispatcherParts {
  readonly streams: StreamHost;
  /** Registers what is served. */
  readonly services: (router: ConnectRouter) => void;
  /** Of what they register, the RPCs that gRPC's clients get without Connect in between. */
  readonly unary: readonly UnaryRpc[];
  /** Bytes that one message of a request may have. */
  readonly maxRequestBytes: number;
}

/** What the streams of one connection share. */
export interface SharedByStreams {
  readonly guard: ConnectionGuard;
  readonly group: TurnGroup;
  readonly trailers: UnaryTrailers;
  readonly flush: SessionFlush;
}

/** How long a request may take to arrive, in milliseconds, where others don't follow it. */
const UPLOAD_MS = 60_000;

/** Hands each request to what serves it. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #table: RouteTable;
  readonly #encoder = new FrameEncoder();

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#table = routeTable(parts);
  }

  serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: SharedByStreams): void {
    const { streams, maxRequestBytes } = this.#parts;
    const { clock, alarms, log, stallMs } = streams;
    const { guard, trailers, flush } = connection;
    const { budget } = guard;
    const route = routeOf(headers, this.#table);
    switch (route.kind) {
      case "stream":
        openRawStream(stream, headers, this.#streamParts(connection, route));
        break;
      case "unary":
        openRawUnary(stream, headers, {
          ...{ rpc: route.rpc, clock, alarms, stallMs, trailers, budget, maxRequestBytes },
          uploadMs: UPLOAD_MS,
        });
        break;
      case "ordinary":
        void serveOrdinary(stream, headers, route.method.handler, {
          ...{ clock, log, stallMs, budget, flush },
          uploadMs: route.method.bidi ? undefined : UPLOAD_MS,
          streamMessageBytes: route.method.streaming ? maxRequestBytes : undefined,
        });
        break;
      case "unimplemented":
        replyUnimplemented(stream, route.message, { clock, budget });
        break;
      case "refused":
        replyRefused(stream, route, { clock, budget });
        break;
      default:
        route satisfies never;
    }
  }

  #streamParts({ guard, group, flush }: SharedByStreams, { rpc, protocol }: StreamRoute): RawStreamParts {
    const { streams: host, maxRequestBytes } = this.#parts;
    const { budget, suspect: onBelievedGone } = guard;
    const requests = { budget, maxRequestBytes, uploadMs: UPLOAD_MS };
    return { host, encoder: this.#encoder, rpc, protocol, group, flush, ...requests, onBelievedGone };
  }
}
