/** `tideline serve`: the wiring diagram of a node, read from top to bottom. */

import { type ListenAddress, listenAddress } from "../base/args-values";
import { systemClock as clock } from "../base/clock";
import { CLIENT_SETTINGS, type ServeConfig } from "../base/config";
import { createLogger, type Logger } from "../base/log";
import { createMetrics, type Metrics } from "../base/metrics";
import type { Io } from "../base/process";
import { VERSION } from "../base/version";
import { DEFAULT_LIMITS } from "../core/limits";
import { createFeed, type RunningFeed } from "../feed/feed";
import type { FeedOptions } from "../feed/options";
import { type Readiness, startAdmin } from "../operator/admin";
import { watchFeed } from "../operator/feed-metrics";
import { startH2 } from "../serve/h2";
import { leave } from "../serve/lifecycle";
import { createStreamHost } from "../serve/runner-host";
import { registerServices, unaryRpcs } from "../serve/services";
import { StreamCounts } from "../serve/services-metrics";
import { startWeb } from "../serve/web";
import { DEFAULT_BATCHER_LIMITS } from "../store/batcher";
import { isBundled } from "../store/bundled";
import { startEmbedded } from "../store/embedded";
import { provideBinaries } from "../store/embedded-archive";
import { StoreError } from "../store/error";
import { startListener } from "../store/listener";
import { migrate } from "../store/migrate";
import { openStore, type Store } from "../store/store";
import { type DatabaseTarget, describeTarget, parseTarget } from "../store/target";
import type { Appender, Committed } from "../store/types";
import { encodeEntry } from "../wire/entry";
import { EXIT, type Trouble, tellTrouble } from "./exit";
import { startWorkers } from "./workers";

/** Bytes that one request may have: what SDKs send at most in one message. */
const MAX_REQUEST_BYTES = 25 * 1024 * 1024;

/** Runs a node until it is asked to stop. Returns the exit code: 0 when it stopped in good order. */
export async function runServe(config: ServeConfig, io: Io): Promise<number> {
  const log = openLog(config, io);
  try {
    await using node = await startNode(config, log);
    await using _workers = startWorkers(config, node, { clock, log, env: io.env });
    announce(node, { log, io, worker: config.worker });
    const stop = config.worker ? AbortSignal.any([io.signal, endOf(io.stdin)]) : io.signal;
    await aborted(stop);
    log.info("stopping", { reason: `${stop.reason?.message}` });
  } catch (error) {
    tellTrouble(io, startTrouble(error));
    return EXIT.failed.code;
  }
  log.info("stopped");
  return EXIT.ok.code;
}

/** A node that serves. Disposing of it stops it in good order. */
interface ServingNode extends AsyncDisposable {
  readonly grpc: ListenAddress;
  readonly web: ListenAddress | undefined;
  readonly admin: ListenAddress | undefined;
  readonly database: DatabaseTarget;
}

async function startNode(config: ServeConfig, log: Logger): Promise<ServingNode> {
  await using parts = new AsyncDisposableStack();
  const metrics = createMetrics();

  // The operator's port is up before there is anything to be ready, and down last.
  let readiness: () => Readiness | undefined = () => undefined;
  const admin =
    config.adminListen && parts.use(await startAdmin({ ...config.adminListen, readiness: () => readiness(), metrics }));

  // Truth.
  const database = await openDatabase(config, log, parts);
  await migrate(database, { log });
  const batcher = withQueue(config.publishQueue);
  const store = parts.use(
    await openStore({ target: database, clock, log, readConnections: config.dbReaders, batcher }),
  );

  // From truth to streams.
  const feed = parts.use(
    createFeed({
      reader: store.reader,
      openAppender: (onCommitted) => openAppender(store, metrics, onCommitted),
      encode: encodeEntry,
      clock,
      log,
      options: feedOptions(config),
    }),
  );
  await feed.start();
  watchFeed(metrics, () => feed.stats());
  readiness = () => ({
    migrated: true,
    lookedOnce: feed.ready,
    notifications: config.notify === "poll" ? "polling" : feed.stats().listening ? "listening" : "deaf",
  });
  if (config.notify === "listen") parts.use(await listen(database, { feed, metrics, log }));

  // Streams and calls.
  const { keepaliveMs, stallMs, maxMessageBytes } = config;
  const counts = new StreamCounts(metrics);
  const streams = createStreamHost({ feed, clock, log, metrics: counts, limits: DEFAULT_LIMITS, keepaliveMs, stallMs });
  counts.watch(streams.streams);
  const publish = { feed, clock, metrics: metrics.publish, maxMessageBytes };
  const deps = { publish, query: { reader: store.reader }, streams, metrics: metrics.serve, clock, log };
  const services = (router: Parameters<typeof registerServices>[0]) => registerServices(router, deps);
  const common = { services, maxRequestBytes: MAX_REQUEST_BYTES, stallMs, clock, log };
  const web = config.webListen && parts.use(await startWeb({ ...config.webListen, ...common }));
  const reusePort = config.worker || config.processes > 1;
  const grpc = parts.use(
    await startH2({ ...config.grpcListen, ...common, unary: unaryRpcs(deps), streams, reusePort }),
  );
  const ports = web === undefined ? [grpc] : [grpc, web];
  parts.defer(() => leave({ ports, streams: streams.streams, clock, log, graceMs: config.shutdownMs }));

  const held = parts.move();
  return {
    grpc: grpc.address,
    web: web?.address,
    admin: admin?.address,
    database,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** The database of the configuration: the one that was named, or our own in the data directory. */
async function openDatabase(
  { databaseUrl, dataDir }: ServeConfig,
  log: Logger,
  parts: AsyncDisposableStack,
): Promise<DatabaseTarget> {
  if (databaseUrl !== undefined) return parseTarget(databaseUrl.reveal());
  const binaries = await provideBinaries(dataDir);
  return parts.use(await startEmbedded({ dataDir, binaries, clock, log })).target;
}

/** The store's appender, with its batches counted. */
function openAppender(store: Store, metrics: Metrics, onCommitted: (batch: Committed) => void): Appender {
  return store.appender({
    onCommitted: (batch) => {
      metrics.publish.batches.add();
      metrics.publish.batchRows.observe(batch.messages.length);
      onCommitted(batch);
    },
  });
}

/** Has the feed told of every commit, here and on other nodes. */
function listen(
  database: DatabaseTarget,
  { feed, metrics, log }: { readonly feed: RunningFeed; readonly metrics: Metrics; readonly log: Logger },
): Promise<AsyncDisposable> {
  return startListener(
    database,
    {
      onNotify: (newest) => feed.notified(newest),
      onListen: () => feed.lookAgain(),
      onHealth: (listening) => {
        if (!listening) metrics.feed.deaf.add();
        feed.setListening(listening);
      },
    },
    { clock, log },
  );
}

/** Resolves when the program is asked to end. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Aborts when nothing more can come: whoever started this process has ended. */
function endOf(stdin: AsyncIterable<Uint8Array>): AbortSignal {
  const ended = new AbortController();
  const read = async () => {
    for await (const _ of stdin);
  };
  read().finally(() => ended.abort(new Error("stdin ended")));
  return ended.signal;
}

/** Why a node did not start, or did not stop as it should, in words for whoever started it. */
function startTrouble(error: unknown): Trouble {
  const why = error instanceof Error ? error.message : `${error}`;
  const fault = error instanceof StoreError ? error.fault : undefined;
  const todo =
    fault === "unreachable"
      ? "see that the database runs and DATABASE_URL leads to it"
      : "mend what it says and start again; `tideline serve --help` lists the settings";
  return { what: "the node cannot run", why, todo };
}

/** Two of the readers are kept from replays, so that a storm of them cannot hold up looks and queries. */
function feedOptions({ tailRows, tailBytes, pollMs, dbReaders }: ServeConfig): Partial<FeedOptions> {
  return { tailRows, tailBytes, pollMs, replayQueries: dbReaders - 2 };
}

function withQueue(messages: number): typeof DEFAULT_BATCHER_LIMITS {
  const queue = { ...DEFAULT_BATCHER_LIMITS.queue, rows: messages, requests: messages };
  return { ...DEFAULT_BATCHER_LIMITS, queue };
}

function openLog({ logLevel, logFormat }: ServeConfig, io: Io): Logger {
  const format = logFormat === "auto" ? (io.stderr.isTerminal ? "text" : "json") : logFormat;
  return createLogger({ level: logLevel, format, write: (line) => io.stderr.write(`${line}\n`), wallMs: Date.now });
}

/** Says where the node is to be found and, to a person, what to try next. */
function announce(
  { grpc, web, admin, database }: ServingNode,
  { log, io, worker }: { readonly log: Logger; readonly io: Io; readonly worker: boolean },
): void {
  const show = listenAddress.show;
  const socketDir = database.address.kind === "socket" ? database.address.directory : undefined;
  log.info(worker ? "worker serving" : "serving", {
    version: VERSION,
    grpc: show(grpc),
    web: web && show(web),
    admin: admin && show(admin),
    database: describeTarget(database),
    databaseDir: socketDir,
  });
  if (worker || !io.stderr.isTerminal) return;
  const program = isBundled ? process.execPath : "npx -y bun@1.4.5 run tideline";
  const address = show(grpc) === CLIENT_SETTINGS.address.default ? "" : ` --address ${show(grpc)}`;
  io.stderr.write(
    [
      "",
      `  tideline ${VERSION} serves`,
      `    gRPC                 ${show(grpc)}`,
      `    gRPC-Web, Connect    ${web === undefined ? "off" : `http://${show(web)}`}`,
      `    health, metrics      ${admin === undefined ? "off" : `http://${show(admin)}/readyz`}`,
      "",
      "  Try, in two other terminals:",
      `    ${program} tail group:demo${address}`,
      `    ${program} publish --group demo "hello, tide"${address}`,
      "",
      "",
    ].join("\n"),
  );
}
