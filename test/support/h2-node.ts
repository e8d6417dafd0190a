/** A node of the gRPC port alone: real sockets, a real feed, and a store in memory. */

import type { ConnectRouter } from "@connectrpc/connect";
import { type Clock, systemClock } from "../../src/base/clock";
import { createLogger, type Logger } from "../../src/base/log";
import { DEFAULT_LIMITS, type StreamLimits } from "../../src/core/limits";
import type { SessionAccount } from "../../src/core/session/account";
import type { Topic } from "../../src/core/topic";
import { createFeed, type RunningFeed } from "../../src/feed/feed";
import { subscribe, subscribeGroupMessages, subscribeWelcomeMessages } from "../../src/serve/api/streams";
import type { SharedBudget } from "../../src/serve/byte-budget";
import type { Certificate } from "../../src/serve/certificate";
import type { GuardOptions } from "../../src/serve/h2/guard";
import { type H2Server, startH2 } from "../../src/serve/h2/port";
import { createStreamHost, type StreamHost, type StreamOutcome } from "../../src/serve/stream/host";
import { WebDoor } from "../../src/serve/web/door";
import { encodeEntry, encodeGroupBody } from "../../src/wire/entry";
import { MlsApi } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { type MemoryReader, MemoryStore } from "./memory-store";

export interface TestNodeOptions {
  readonly keepaliveMs?: number;
  readonly stallMs?: number;
  readonly maxRequestBytes?: number;
  readonly maxConcurrentStreams?: number;
  readonly limits?: Partial<StreamLimits>;
  /** Bytes encoded for streams that may wait for their readers, of all together. */
  readonly unsentBytes?: number;
  readonly guard?: Partial<GuardOptions>;
  /** What the node does by time; the machine's own unless told. Sockets take their time in any case. */
  readonly clock?: Clock;
  readonly held?: SharedBudget;
  /** With it, the port speaks TLS. */
  readonly certificate?: Certificate;
  /** Registers more than the streaming RPCs. */
  readonly services?: (router: ConnectRouter) => void;
}

/** A stream that has ended. */
export interface EndedStream {
  readonly rpc: string;
  readonly outcome: StreamOutcome;
  readonly account: SessionAccount;
}

/** A log line, as far as tests look at it. */
export type LogLine = Readonly<Record<string, unknown>>;

export class TestNode implements AsyncDisposable {
  readonly store: MemoryStore;
  /** By which the node reads it: it can be told to fail. */
  readonly reader: MemoryReader;
  readonly feed: RunningFeed;
  readonly host: StreamHost;
  readonly server: H2Server;
  /** Streams that have ended, in order. */
  readonly ended: EndedStream[];
  readonly ignoredRequests: string[];
  readonly log: LogLine[];

  private constructor(parts: Omit<TestNode, "port" | "publish" | "outcomes" | typeof Symbol.asyncDispose>) {
    this.store = parts.store;
    this.reader = parts.reader;
    this.feed = parts.feed;
    this.host = parts.host;
    this.server = parts.server;
    this.ended = parts.ended;
    this.ignoredRequests = parts.ignoredRequests;
    this.log = parts.log;
  }

  static async start(options: TestNodeOptions = {}): Promise<TestNode> {
    const lines: LogLine[] = [];
    const log = collectingLogger(lines);
    const { clock = systemClock } = options;
    const store = new MemoryStore(clock);
    const reader = store.reader();
    const feed = createFeed({
      reader,
      openAppender: (onCommitted) => store.appender(onCommitted),
      encode: encodeEntry,
      clock,
      log,
    });
    await feed.start();
    const ended: EndedStream[] = [];
    const ignoredRequests: string[] = [];
    const host = createStreamHost({
      feed,
      clock,
      log,
      metrics: {
        streamOpened: () => {},
        streamEnded: (rpc, outcome, account) => ended.push({ rpc, outcome, account }),
        requestIgnored: (rpc) => ignoredRequests.push(rpc),
      },
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      keepaliveMs: options.keepaliveMs ?? 30_000,
      stallMs: options.stallMs ?? 60_000,
      ...(options.unsentBytes !== undefined && { unsentBytes: options.unsentBytes }),
    });
    const { maxRequestBytes, maxConcurrentStreams, guard, held, certificate } = options;
    const services = (router: ConnectRouter) => {
      registerStreams(router, host);
      options.services?.(router);
    };
    const web = {
      services,
      maxRequestBytes: maxRequestBytes ?? 1 << 20,
      stallMs: host.stallMs,
      clock,
      log,
    };
    const server = await startH2({
      host: "127.0.0.1",
      port: 0,
      streams: host,
      services,
      ...(certificate !== undefined && { tls: { certificate, http1: new WebDoor(web) } }),
      ...(maxRequestBytes !== undefined && { maxRequestBytes }),
      ...(maxConcurrentStreams !== undefined && { maxConcurrentStreams }),
      ...(guard !== undefined && { guard }),
      ...(held !== undefined && { held }),
    });
    return new TestNode({ store, reader, feed, host, server, ended, ignoredRequests, log: lines });
  }

  get port(): number {
    return this.server.address.port;
  }

  get outcomes(): readonly StreamOutcome[] {
    return this.ended.map(({ outcome }) => outcome);
  }

  /** Commits group messages of this many bytes each, and lets the feed know. */
  publish(topic: Topic, count = 1, bytes = 16): void {
    const groupId = Buffer.from(topic.slice(1), "latin1");
    const data = new Uint8Array(bytes);
    const { body } = encodeGroupBody({
      groupId,
      data,
      senderHmac: data.subarray(0, 0),
      shouldPush: false,
      isCommit: false,
    });
    for (let n = 0; n < count; n++) this.store.insert(topic, body);
    this.feed.notified();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.feed[Symbol.asyncDispose]();
  }
}

function registerStreams(router: ConnectRouter, host: StreamHost): void {
  const { method } = MlsApi;
  router
    .rpc(method.subscribe, (requests, call) => subscribe(host, requests, call))
    .rpc(method.subscribeGroupMessages, (request, call) => subscribeGroupMessages(host, request, call))
    .rpc(method.subscribeWelcomeMessages, (request, call) => subscribeWelcomeMessages(host, request, call));
}

function collectingLogger(lines: LogLine[]): Logger {
  return createLogger({
    level: "debug",
    format: "json",
    write: (line) => lines.push(JSON.parse(line)),
    wallMs: Date.now,
  });
}
