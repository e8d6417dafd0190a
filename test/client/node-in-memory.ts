import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { createMetrics } from "../../src/base/metrics";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import { createFeed, type RunningFeed } from "../../src/feed/feed";
import { registerServices } from "../../src/serve/api/services";
import { startH2 } from "../../src/serve/h2/port";
import { createStreamHost, noStreamMetrics } from "../../src/serve/stream/host";
import { encodeEntry } from "../../src/wire/entry";
import { memoryIdentityDeps } from "../support/memory-identity";
import { MemoryStore } from "../support/memory-store";

export interface NodeInMemory extends AsyncDisposable {
  /** Base URL of its gRPC port. */
  readonly address: string;
  readonly port: number;
  readonly feed: RunningFeed;
  /** How many streams are open. */
  readonly streams: () => number;
  /** How many Pings the open streams have been sent. */
  readonly pings: () => number;
}

/** Everything that a node is but its database: real sockets, real sessions, messages in memory. */
export async function startNodeInMemory(options: { keepaliveMs?: number; port?: number; store?: MemoryStore } = {}) {
  const store = options.store ?? new MemoryStore(systemClock);
  const reader = store.reader();
  const feed = createFeed({
    reader,
    openAppender: (onCommitted) => store.appender(onCommitted),
    encode: encodeEntry,
    clock: systemClock,
    log: silentLogger,
  });
  await feed.start();
  const metrics = createMetrics();
  const host = createStreamHost({
    feed,
    clock: systemClock,
    log: silentLogger,
    metrics: noStreamMetrics,
    limits: DEFAULT_LIMITS,
    keepaliveMs: options.keepaliveMs ?? 30_000,
    stallMs: 60_000,
  });
  const publish = { feed, clock: systemClock, metrics: metrics.publish, maxMessageBytes: 3 * 1024 ** 2 };
  const messages = { publish, query: { feed, reader }, streams: host };
  const deps = { ...messages, ...memoryIdentityDeps(systemClock), metrics: metrics.serve, clock: systemClock };
  const server = await startH2({
    host: "127.0.0.1",
    port: options.port ?? 0,
    streams: host,
    services: (router) => registerServices(router, { ...deps, log: silentLogger }),
  });
  const node: NodeInMemory = {
    address: `http://127.0.0.1:${server.address.port}`,
    port: server.address.port,
    feed,
    streams: () => host.streams.size,
    pings: () => [...host.streams.entries()].reduce((sum, [, { account }]) => sum + account.pings, 0),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await feed[Symbol.asyncDispose]();
    },
  };
  return node;
}
