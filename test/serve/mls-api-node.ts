/** A node's services on a real database, without any port: what the tests of the RPCs call. */

import { type Client, createClient, createRouterTransport } from "@connectrpc/connect";
import { type Clock, systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { createMetrics, type Metrics } from "../../src/base/metrics";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import { createFeed, type RunningFeed } from "../../src/feed/feed";
import type { ChainReader } from "../../src/mls/association/types";
import { encodeGroupMessage } from "../../src/mls/group-message";
import { registerServices, type ServiceDeps } from "../../src/serve/api/services";
import { WorkTurns } from "../../src/serve/api/work-turns";
import { SharedBudget } from "../../src/serve/byte-budget";
import { StreamCounts } from "../../src/serve/stream/counts";
import { createStreamHost, type StreamHost } from "../../src/serve/stream/host";
import { startWeb, type WebServer } from "../../src/serve/web/port";
import { openStore } from "../../src/store/store";
import { encodeEntry } from "../../src/wire/entry";
import { MlsApi } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { createDatabase, type TestDatabase } from "../support/database";
import { NO_CHAINS } from "../support/memory-identity";

export const MAX_MESSAGE_BYTES = 100_000;

export interface TestNode extends AsyncDisposable {
  readonly deps: ServiceDeps;
  readonly feed: RunningFeed;
  readonly host: StreamHost;
  readonly metrics: Metrics;
  /** Calls the services in this process, by way of Connect. */
  readonly client: Client<typeof MlsApi>;
}

export interface TestNodeOptions {
  /** A database that another node has, too. Its own unless told. */
  readonly database?: TestDatabase;
  readonly keepaliveMs?: number;
  /** Messages that its tail keeps. */
  readonly tailRows?: number;
  /** None unless told. */
  readonly chains?: ChainReader;
}

/** Starts a node. It learns of what other nodes publish by polling only, and slowly. */
export async function openNode(options: TestNodeOptions = {}): Promise<TestNode> {
  const closing = new AsyncDisposableStack();
  const database = options.database ?? closing.use(await createDatabase());
  const clock = systemClock;
  const log = silentLogger;
  const store = closing.use(await openStore({ target: database.target, clock, log }));
  const feed = closing.use(
    createFeed({
      reader: store.reader,
      openAppender: (onCommitted) => store.appender({ onCommitted }),
      encode: encodeEntry,
      clock,
      log,
      options: { pollMs: 1_000, ...(options.tailRows === undefined ? {} : { tailRows: options.tailRows }) },
    }),
  );
  await feed.start();
  const metrics = createMetrics();
  const counts = new StreamCounts(metrics);
  const keepaliveMs = options.keepaliveMs ?? 30_000;
  const host = createStreamHost({
    feed,
    clock,
    log,
    metrics: counts,
    limits: DEFAULT_LIMITS,
    keepaliveMs,
    stallMs: 60_000,
  });
  counts.watch(host.streams);
  const deps: ServiceDeps = {
    publish: { feed, clock, metrics: metrics.publish, maxMessageBytes: MAX_MESSAGE_BYTES },
    query: { feed, reader: store.reader },
    identity: {
      log: store.identities,
      chains: options.chains ?? NO_CHAINS,
      outcomes: metrics.validation.identityUpdates,
      turns: new WorkTurns(clock),
    },
    keyPackages: { packages: store.keyPackages, outcomes: metrics.validation.keyPackages, clock },
    commitLogs: { logs: store.commitLogs },
    streams: host,
    metrics: metrics.serve,
    clock,
    log,
  };
  const client = createClient(
    MlsApi,
    createRouterTransport((router) => registerServices(router, deps)),
  );
  return { deps, feed, host, metrics, client, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** Bytes that one message of a request to the web port may have. */
export const MAX_REQUEST_BYTES = 200_000;

/** A client that takes nothing for so many milliseconds is cut off by the web port. */
export const STALL_MS = 60_000;

/** Opens a web port for a node's services. */
export function openWeb(
  node: TestNode,
  port = 0,
  clock: Clock = systemClock,
  held = new SharedBudget(),
): Promise<WebServer> {
  return startWeb({
    host: "127.0.0.1",
    port,
    services: (router) => registerServices(router, node.deps),
    maxRequestBytes: MAX_REQUEST_BYTES,
    stallMs: STALL_MS,
    held,
    clock,
    log: silentLogger,
  });
}

/** A well-formed group message, different for each `text`. */
export function mlsMessage(
  groupId: Uint8Array,
  text: string,
  contentType: "application" | "proposal" | "commit" = "application",
): Uint8Array<ArrayBuffer> {
  const ciphertext = new TextEncoder().encode(text);
  const none = new Uint8Array();
  const encoded = encodeGroupMessage({
    groupId,
    epoch: 1n,
    contentType,
    authenticatedData: none,
    encryptedSenderData: none,
    ciphertext,
  });
  return Uint8Array.from(encoded);
}

/** The request that publishes group messages, one per text. */
export function groupMessages(groupId: Uint8Array, ...texts: readonly string[]) {
  const messages = texts.map((text) => groupMessage({ data: mlsMessage(groupId, text), senderHmac: HMAC }));
  return { messages };
}

/** One of them. */
export function groupMessage(value: {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly senderHmac?: Uint8Array<ArrayBuffer>;
}) {
  return { version: { case: "v1", value: { ...value, shouldPush: true } } } as const;
}

const HMAC = Uint8Array.of(1, 2);
