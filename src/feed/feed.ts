import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import { higher } from "../core/ids";
import type { Message } from "../core/message";
import type { ReplayScope } from "../core/session/events";
import { Tail, type TailView } from "../core/tail";
import type { Kind, PerKind, Topic } from "../core/topic";
import type { Appender, Committed, Newest, NewMessage, Reader } from "../store/types";
import { HeadIndex } from "./head-index";
import { Hub } from "./hub";
import { Intake } from "./intake";
import { DEFAULT_FEED_OPTIONS, type FeedOptions } from "./options";
import { Recent } from "./recent";
import { Replayer } from "./replayer";
import { Tailer } from "./tailer";
import type { EncodeEntry, Feed, Replay, ReplaySink, Subscriber } from "./types";

export interface FeedParts {
  /** Must read the database that `openAppender` writes to: a replica that lags would lose what the tail has passed. */
  readonly reader: Reader;
  /**
   * Makes the appender of this process. It calls `onCommitted` with each batch once it is committed, in the order
   * of ids, never from within `append`.
   */
  readonly openAppender: (onCommitted: (batch: Committed) => void) => Appender;
  readonly encode: EncodeEntry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly options?: Partial<FeedOptions>;
}

/** How the feed is, for the operator. */
export interface FeedStats {
  readonly ready: boolean;
  readonly listening: boolean;
  readonly looks: number;
  /** Milliseconds since the last look was done; `undefined` before the first. */
  readonly lookAgeMs: number | undefined;
  readonly headIds: PerKind<bigint>;
  readonly tailRows: number;
  readonly tailBytes: number;
  readonly watchedTopics: number;
  readonly subscribers: number;
  readonly indexedTopics: number;
  readonly replays: number;
  readonly replayQueriesRunning: number;
  readonly replayQueriesWaiting: number;
}

/** The feed as its owner holds it. */
export interface RunningFeed extends Feed, AsyncDisposable {
  /**
   * Resolves after the first look, however long the store takes; until then nothing but `ready` and `stats` may be used.
   * @throws StoreError when disposed of before that.
   */
  start(): Promise<void>;
  /** There may be something new: notifications may have been missed. */
  lookAgain(): void;
  /** A notification came. */
  notified(newest?: Newest): void;
  /** Whether notifications reach us. Until they do, the store is polled. */
  setListening(listening: boolean): void;
  /** The store has no message of a kind up to this id any more: nobody need look there. */
  setGone(kind: Kind, upTo: bigint): void;
  /** Whether the first look is done and the last one did not fail. */
  readonly ready: boolean;
  stats(): FeedStats;
}

/** Joins one store to all streams of this process. It does nothing before `start`. */
export function createFeed(parts: FeedParts): RunningFeed {
  return new StoreFeed(parts);
}

class StoreFeed implements RunningFeed {
  readonly #options: FeedOptions;
  readonly #tail: Tail;
  readonly #hub: Hub;
  readonly #heads: HeadIndex;
  readonly #intake: Intake;
  readonly #tailer: Tailer;
  readonly #replayer: Replayer;
  readonly #recent: Recent;
  readonly #appender: Appender;
  /** Per kind, appends of this process under way. */
  readonly #appending: [number, number] = [0, 0];

  constructor(parts: FeedParts) {
    const { reader, encode, clock, log } = parts;
    const options = { ...DEFAULT_FEED_OPTIONS, ...parts.options };
    const tail = new Tail({ maxRows: options.tailRows, maxBytes: options.tailBytes });
    const heads = new HeadIndex(options.headTopics, options.recentIds);
    const hub = new Hub(log);
    const intake = new Intake({ tail, hub, heads, encode, clock });
    this.#options = options;
    this.#tail = tail;
    this.#hub = hub;
    this.#heads = heads;
    this.#intake = intake;
    this.#tailer = new Tailer({ reader, tail, heads, intake, clock, log, options });
    this.#replayer = new Replayer({ reader, tail, heads, encode, clock, log, options });
    this.#recent = new Recent({ reader, tail, heads, intake, onBehind: (newest) => this.notified(newest) });
    this.#appender = parts.openAppender((batch) => this.#tailer.ingest(batch));
  }

  get tail(): TailView {
    return this.#tail;
  }

  get ready(): boolean {
    return this.#tailer.ready;
  }

  start(): Promise<void> {
    return this.#tailer.start();
  }

  watch(subscriber: Subscriber, topics: readonly Topic[]): void {
    this.#mustBeStarted();
    this.#hub.watch(subscriber, topics);
  }

  unwatch(subscriber: Subscriber, topics: readonly Topic[]): void {
    this.#hub.unwatch(subscriber, topics);
  }

  replay(scope: ReplayScope, sink: ReplaySink): Replay {
    this.#mustBeStarted();
    return this.#replayer.replay(scope, sink);
  }

  look(): Promise<void> {
    return this.#tailer.look();
  }

  async recent(topic: Topic, cursor: bigint): Promise<readonly Message[] | undefined> {
    this.#mustBeStarted();
    return await this.#recent.above(topic, cursor);
  }

  async publish(request: readonly NewMessage[]): Promise<void> {
    this.#mustBeStarted();
    const first = request[0];
    if (first === undefined) return;
    const ids = await this.#append(first.kind, request);
    const newest = ids.reduce(higher, 0n);
    if (this.#tail.headIds[first.kind] >= newest) return;
    this.#tailer.lookAgain();
    await this.#intake.reached(first.kind, newest, this.#options.lookMs);
  }

  lookAgain(): void {
    this.#tailer.lookAgain();
  }

  notified(newest?: Newest): void {
    this.#tailer.notified(newest, newest !== undefined && this.#appending[newest.kind] > 0);
  }

  setListening(listening: boolean): void {
    this.#tailer.setListening(listening);
  }

  setGone(kind: Kind, upTo: bigint): void {
    this.#replayer.setGone(kind, upTo);
    this.#recent.setGone(kind, upTo);
  }

  stats(): FeedStats {
    return {
      ready: this.#tailer.ready,
      listening: this.#tailer.listening,
      looks: this.#tailer.looks,
      lookAgeMs: this.#tailer.lookAgeMs,
      headIds: this.#tail.headIds,
      tailRows: this.#tail.rows,
      tailBytes: this.#tail.bytes,
      watchedTopics: this.#hub.topics,
      subscribers: this.#hub.subscribers,
      indexedTopics: this.#heads.topics,
      replays: this.#replayer.active,
      replayQueriesRunning: this.#replayer.queriesRunning,
      replayQueriesWaiting: this.#replayer.queriesWaiting,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#intake.stop();
    await Promise.all([this.#tailer.stop(), this.#replayer.stop()]);
  }

  async #append(kind: Kind, request: readonly NewMessage[]): Promise<readonly bigint[]> {
    this.#appending[kind] += 1;
    try {
      return await this.#appender.append(request);
    } finally {
      this.#appending[kind] -= 1;
    }
  }

  /** Before the start the tail's head is not known, and a stream opened on it would miss messages (I1). */
  #mustBeStarted(): void {
    if (!this.#tailer.started) throw new Error("the feed has not been started");
  }
}
