/** The wiring diagram of a node, read from top to bottom. */

import type { ListenAddress } from "../base/args-values";
import { systemClock as clock } from "../base/clock";
import type { ServeConfig } from "../base/config";
import type { Logger } from "../base/log";
import { createMetrics, type Metrics } from "../base/metrics";
import { DEFAULT_LIMITS } from "../core/limits";
import { KIND_NAMES } from "../core/topic";
import { createFeed, type RunningFeed } from "../feed/feed";
import type { FeedOptions } from "../feed/options";
import { chainReader } from "../mls/association/chains";
import { type Readiness, startAdmin } from "../operator/admin";
import { watchFeed } from "../operator/feed-metrics";
import { listStreams, mergeStreams, type StreamList, type StreamSnapshot } from "../operator/streams";
import { registerServices, unaryRpcs } from "../serve/api/services";
import { WorkTurns } from "../serve/api/work-turns";
import { SharedBudget } from "../serve/byte-budget";
import { type Canary, startCanary } from "../serve/canary";
import { type Certificate, openCertificate } from "../serve/certificate";
import { startH2 } from "../serve/h2/port";
import { leave } from "../serve/lifecycle";
import { StreamCounts } from "../serve/stream/counts";
import { createStreamHost, type StreamRegistry } from "../serve/stream/host";
import { WebDoor } from "../serve/web/door";
import { startWeb } from "../serve/web/port";
import { DEFAULT_BATCHER_LIMITS } from "../store/batcher";
import { provideBinaries } from "../store/embedded/archive";
import { startEmbedded } from "../store/embedded/database";
import { startListener } from "../store/listener";
import { migrate } from "../store/migrate";
import { startRetention } from "../store/retention";
import { openStore, type Store } from "../store/store";
import { type DatabaseTarget, parseTarget } from "../store/target";
import type { Appender, Committed } from "../store/types";
import { encodeEntry } from "../wire/entry";
import type { WorkerQuestion } from "./worker-process";

/** Bytes that one request may have: what SDKs send at most in one message. */
const MAX_REQUEST_BYTES = 25 * 1024 * 1024;

/** A node that serves. Disposing of it stops it in good order. */
export interface ServingNode extends AsyncDisposable {
  readonly grpc: ListenAddress;
  readonly web: ListenAddress | undefined;
  readonly admin: ListenAddress | undefined;
  readonly database: DatabaseTarget;
  /** Whether the ports for clients speak TLS. */
  readonly tls: boolean;
  /** What this process answers when the one that started it asks. */
  readonly replies: Readonly<Record<WorkerQuestion, () => Promise<string>>>;
}

/** Other processes of the node, which are shown with this one. */
interface Others {
  ask(question: WorkerQuestion): Promise<readonly string[]>;
}

/** What the operator can ask for, as the parts that know it come up. */
interface Told {
  readiness: () => Readiness | undefined;
  streams: () => StreamList;
}

/** Starts everything that a node is made of. What was started is stopped again if the rest cannot be. */
export async function startNode(config: ServeConfig, log: Logger, workers: Others): Promise<ServingNode> {
  await using parts = new AsyncDisposableStack();
  const metrics = createMetrics();
  const { snapshot, contentType } = metrics;
  const shown = { contentType, render: async () => metrics.render(await workers.ask("metrics")) };

  // The operator's port is up before there is anything to be ready, and down last.
  const told: Told = { readiness: () => undefined, streams: () => listStreams([]) };
  const streams = async () => mergeStreams([told.streams(), ...parsed(await workers.ask("streams"))]);
  const asked = { readiness: () => told.readiness(), streams, metrics: shown };
  const admin = config.adminListen && parts.use(await startAdmin({ ...config.adminListen, ...asked }));

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
  let canary: Canary | undefined;
  told.readiness = () => ({
    migrated: true,
    lookedOnce: feed.ready,
    notifications: notificationsOf(config, feed.stats().listening, canary?.state.isStandby === true),
    canary: canary?.state,
  });
  if (config.notify === "listen") parts.use(await listen(database, { feed, metrics, log }));

  parts.use(retain(config, { store, feed, metrics, log }));
  canary = sendCanaries(config, { store, feed, metrics, log }, parts);

  // From streams to clients.
  const { grpc, web, registry } = await openPorts(config, { feed, store, metrics, log }, parts);
  told.streams = () => listStreams(snapshots(registry));

  const held = parts.move();
  return {
    grpc,
    web,
    admin: admin?.address,
    database,
    tls: config.tlsCert !== undefined,
    replies: { metrics: snapshot, streams: async () => JSON.stringify(told.streams()) },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** What streams and calls are served from. */
interface Served {
  readonly feed: RunningFeed;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Opens the ports that clients come to. */
async function openPorts(config: ServeConfig, { feed, store, metrics, log }: Served, parts: AsyncDisposableStack) {
  const { keepaliveMs, stallMs, maxMessageBytes } = config;
  const counts = new StreamCounts(metrics);
  const streams = createStreamHost({ feed, clock, log, metrics: counts, limits: DEFAULT_LIMITS, keepaliveMs, stallMs });
  counts.watch(streams.streams);
  const publish = { feed, clock, metrics: metrics.publish, maxMessageBytes };
  const deps = {
    publish,
    query: { feed, reader: store.reader },
    identity: {
      log: store.identities,
      chains: chainReader(revealUrls(config.chainRpc)),
      outcomes: metrics.validation.identityUpdates,
      turns: new WorkTurns(clock),
    },
    keyPackages: { packages: store.keyPackages, outcomes: metrics.validation.keyPackages, clock },
    commitLogs: { logs: store.commitLogs },
    ...{ streams, metrics: metrics.serve, clock, log },
  };
  const services = (router: Parameters<typeof registerServices>[0]) => registerServices(router, deps);
  const common = { services, maxRequestBytes: MAX_REQUEST_BYTES, held: new SharedBudget(), stallMs, clock, log };
  const certificate = await certificateOf(config, { metrics, log }, parts);
  const web = config.webListen && parts.use(await startWeb({ ...config.webListen, ...common, certificate }));
  const reusePort = config.worker || config.processes > 1;
  const tls = certificate && { certificate, http1: new WebDoor(common) };
  const grpc = parts.use(
    await startH2({ ...config.grpcListen, ...common, unary: unaryRpcs(deps), streams, reusePort, tls }),
  );
  const ports = web === undefined ? [grpc] : [grpc, web];
  // Clients are let go of before anything that their streams live on.
  parts.defer(() => leave({ ports, streams: streams.streams, clock, log, graceMs: config.shutdownMs }));
  return { grpc: grpc.address, web: web?.address, registry: streams.streams };
}

/** A standby does not let anybody listen: there it is polled without being told to. */
function notificationsOf(
  { notify }: ServeConfig,
  isListening: boolean,
  isStandby: boolean,
): Readiness["notifications"] {
  if (notify === "listen" && isListening) return "listening";
  return notify === "poll" || isStandby ? "polling" : "deaf";
}

function* snapshots(registry: StreamRegistry): Generator<StreamSnapshot> {
  for (const [stream, { rpc, protocol, openedAt, account }] of registry.entries()) {
    yield { stream, rpc, protocol, ageMs: Math.round(clock.now() - openedAt), account };
  }
}

/** What workers have answered, which are this program, too. */
function parsed(answers: readonly string[]): readonly StreamList[] {
  return answers.map((answer) => JSON.parse(answer));
}

function revealUrls(urls: ServeConfig["chainRpc"]): ReadonlyMap<bigint, string> {
  return new Map([...urls].map(([chain, url]) => [chain, url.reveal()]));
}

/** The certificate that the ports serve with, if the configuration names one. */
async function certificateOf(
  { tlsCert, tlsKey }: ServeConfig,
  { metrics, log }: Pick<Served, "metrics" | "log">,
  parts: AsyncDisposableStack,
): Promise<Certificate | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const certificate = parts.use(await openCertificate({ certFile: tlsCert, keyFile: tlsKey }, { clock, log }));
  metrics.beforeRead(() => metrics.serve.certificateValidTo.set(certificate.validToMs / 1_000));
  return certificate;
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

/** Has messages deleted that are older than the configuration lets them become. */
function retain(
  { groupRetention, welcomeRetention }: ServeConfig,
  { store, feed, metrics, log }: Served,
): AsyncDisposable {
  return startRetention({
    deleter: store.deleter,
    maxAgeMs: [groupRetention, welcomeRetention],
    clock,
    log,
    onDeleted: (kind, { rows, bytes, goneUpTo }) => {
      metrics.retention.deleted.add(KIND_NAMES[kind], rows);
      metrics.retention.deletedBytes.add(bytes);
      feed.setGone(kind, goneUpTo);
    },
  });
}

/** Measures what a user feels, in the one process whose admin port tells of it. */
function sendCanaries(
  { canaryMs: everyMs, worker }: ServeConfig,
  { store, feed, metrics, log }: Served,
  parts: AsyncDisposableStack,
): Canary | undefined {
  if (everyMs === 0 || worker) return undefined;
  const { reader, deleter } = store;
  const canary = parts.use(startCanary({ feed, reader, deleter, everyMs, metrics: metrics.canary, clock, log }));
  metrics.beforeRead(() => metrics.canary.silentSeconds.set(canary.state.silentMs / 1_000));
  return canary;
}

/** Two of the readers are kept from replays, so that a storm of them cannot hold up looks and queries. */
function feedOptions({ tailRows, tailBytes, pollMs, dbReaders }: ServeConfig): Partial<FeedOptions> {
  return { tailRows, tailBytes, pollMs, replayQueries: dbReaders - 2 };
}

function withQueue(messages: number): typeof DEFAULT_BATCHER_LIMITS {
  const queue = { ...DEFAULT_BATCHER_LIMITS.queue, rows: messages, requests: messages };
  return { ...DEFAULT_BATCHER_LIMITS, queue };
}
