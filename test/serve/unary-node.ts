/** A node's ports with all services, on a store in memory that can be made to fail: what tests of unary calls call. */

import type { Client, Transport } from "@connectrpc/connect";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { systemClock } from "../../src/base/clock";
import { createLogger } from "../../src/base/log";
import { createMetrics, type Metrics } from "../../src/base/metrics";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import { createFeed } from "../../src/feed/feed";
import { registerServices, type ServiceDeps, unaryRpcs } from "../../src/serve/api/services";
import { type H2Server, startH2 } from "../../src/serve/h2/port";
import { StreamCounts } from "../../src/serve/stream/counts";
import { createStreamHost } from "../../src/serve/stream/host";
import { startWeb, type WebServer } from "../../src/serve/web/port";
import { encodeEntry } from "../../src/wire/entry";
import { MlsApi } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { memoryIdentityDeps } from "../support/memory-identity";
import { MemoryStore } from "../support/memory-store";

export const MAX_REQUEST_BYTES = 4_000_000;
export const MAX_MESSAGE_BYTES = 3_000_000;

export interface UnaryNode extends AsyncDisposable {
  readonly grpc: H2Server;
  readonly web: WebServer;
  readonly deps: ServiceDeps;
  readonly metrics: Metrics;
  /** Messages of the log's lines. */
  readonly logged: readonly string[];
  /** Calls that went without Connect, by name. */
  readonly direct: readonly string[];
  /** The services without a port. */
  readonly client: Client<typeof MlsApi>;
  /** What publishing and querying fail with from now on; `undefined`: with nothing. */
  fail(error: Error | undefined): void;
}

export async function openUnaryNode(): Promise<UnaryNode> {
  await using parts = new AsyncDisposableStack();
  const clock = systemClock;
  const logged: string[] = [];
  const log = createLogger({
    level: "info",
    format: "json",
    write: (line) => logged.push(JSON.parse(line).event),
    wallMs: Date.now,
  });
  const store = new MemoryStore(clock);
  const reader = store.reader();
  const openAppender = (onCommitted: Parameters<MemoryStore["appender"]>[0]) => store.appender(onCommitted);
  const feed = parts.use(createFeed({ reader, openAppender, encode: encodeEntry, clock, log }));
  await feed.start();
  let failure: Error | undefined;
  const orFail = async <T>(work: () => Promise<T>): Promise<T> => {
    if (failure !== undefined) throw failure;
    return await work();
  };
  const metrics = createMetrics();
  const counts = new StreamCounts(metrics);
  const streams = createStreamHost({
    feed,
    clock,
    log,
    metrics: counts,
    limits: DEFAULT_LIMITS,
    keepaliveMs: 30_000,
    stallMs: 60_000,
  });
  const deps: ServiceDeps = {
    publish: {
      feed: { publish: (request) => orFail(() => feed.publish(request)) },
      clock,
      metrics: metrics.publish,
      maxMessageBytes: MAX_MESSAGE_BYTES,
    },
    query: {
      feed: { recent: (...asked) => orFail(() => feed.recent(...asked)) },
      reader: {
        ofTopic: (...asked) => orFail(() => reader.ofTopic(...asked)),
        heads: (topics) => orFail(() => reader.heads(topics)),
        byIds: (...asked) => orFail(() => reader.byIds(...asked)),
      },
    },
    ...memoryIdentityDeps(clock),
    streams,
    metrics: metrics.serve,
    clock,
    log,
  };
  const services = (router: Parameters<typeof registerServices>[0]) => registerServices(router, deps);
  const common = { host: "127.0.0.1", port: 0, services, maxRequestBytes: MAX_REQUEST_BYTES };
  const direct: string[] = [];
  const unary = unaryRpcs(deps).map((rpc) => ({
    ...rpc,
    answer: (request: Uint8Array) => {
      direct.push(rpc.name);
      return rpc.answer(request);
    },
  }));
  const grpc = parts.use(await startH2({ ...common, streams, unary }));
  const web = parts.use(await startWeb({ ...common, stallMs: 60_000, clock, log }));
  const transport: Transport = createRouterTransport(services);
  const held = parts.move();
  return {
    grpc,
    web,
    deps,
    metrics,
    logged,
    direct,
    client: createClient(MlsApi, transport),
    fail: (error) => {
      failure = error;
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
