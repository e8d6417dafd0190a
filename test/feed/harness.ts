import { expect } from "bun:test";
import { type Logger, silentLogger } from "../../src/base/log";
import type { Message } from "../../src/core/message";
import type { ReplayScope } from "../../src/core/session/events";
import type { Offset, TailView } from "../../src/core/tail";
import { GROUP, KINDS, type Kind, type PerKind, type Topic, WELCOME } from "../../src/core/topic";
import { createFeed, type RunningFeed } from "../../src/feed/feed";
import type { FeedOptions } from "../../src/feed/options";
import type { Feed, Replay, ReplaySink, Subscriber } from "../../src/feed/types";
import type { StoredMessage } from "../../src/store/types";
import { type Delays, type MemoryReader, MemoryStore, testTopic } from "../support/memory-store";
import { Prng } from "../support/prng";
import type { VirtualClock } from "../support/virtual-clock";

/** An entry that shows which message it is of. */
export function encodeTest(message: StoredMessage): Uint8Array {
  const entry = new Uint8Array(9 + message.body.byteLength);
  entry[0] = message.kind;
  new DataView(entry.buffer).setBigInt64(1, message.id);
  entry.set(message.body, 9);
  return entry;
}

export interface MemoryFeedParts {
  readonly store: MemoryStore;
  readonly clock: VirtualClock;
  readonly options?: Partial<FeedOptions>;
  readonly readDelays?: () => Delays;
  readonly appendDelays?: () => Delays;
  readonly log?: Logger;
}

/** A feed on a store in memory, and the reader it uses. */
export interface MemoryFeed extends AsyncDisposable {
  readonly feed: RunningFeed;
  readonly reader: MemoryReader;
}

/** Not started yet; it knows no topic when it starts, unless told. */
export function memoryFeed(parts: MemoryFeedParts): MemoryFeed {
  const { store, clock, options, readDelays, appendDelays, log = silentLogger } = parts;
  const reader = store.reader(readDelays);
  const feed = createFeed({
    reader,
    openAppender: (onCommitted) => store.appender(onCommitted, appendDelays),
    encode: encodeTest,
    clock,
    log,
    options: { warmIds: 0, ...options },
  });
  return { feed, reader, [Symbol.asyncDispose]: () => endOf(feed, clock) };
}

/** Ends a feed: what is in flight still takes its time. */
async function endOf(feed: RunningFeed, clock: VirtualClock): Promise<void> {
  const ended = feed[Symbol.asyncDispose]();
  await clock.advanceAsync(1_000);
  await ended;
}

/** A subscriber that takes down what it is offered. */
export class Probe implements Subscriber {
  readonly messages: Message[] = [];
  /** How many calls brought them. */
  calls = 0;
  readonly #tail: TailView;

  constructor(tail: TailView) {
    this.#tail = tail;
  }

  offers(offsets: readonly Offset[]): void {
    this.calls += 1;
    for (const offset of offsets) {
      const message = this.#tail.get(offset);
      if (message === undefined) throw new Error(`offset ${offset} is not in the tail`);
      this.messages.push(message);
    }
  }

  ids(kind: Kind): readonly bigint[] {
    return idsOf(this.messages, kind);
  }
}

/** A sink that takes down its pages and asks for the next one by itself, unless it is to be asked by hand. */
export class PageSink implements ReplaySink {
  readonly pages: (readonly Message[])[] = [];
  readonly ended: Promise<void>;
  /** Calls that came after the last one there may be, or within another call: faults of the replayer. */
  readonly faults: string[] = [];
  failure: string | undefined;
  done = false;
  replay: Replay | undefined;
  readonly #byHand: boolean;
  readonly #end: () => void;
  #depth = 0;

  constructor(byHand = false) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#byHand = byHand;
    this.ended = promise;
    this.#end = resolve;
  }

  /** Starts a replay that answers to this sink. */
  start(feed: Feed, scope: ReplayScope): this {
    this.within(() => {
      this.replay = feed.replay(scope, this);
    });
    return this;
  }

  /** Runs something in which no call of the sink may come. */
  within(act: () => void): void {
    this.#depth += 1;
    act();
    this.#depth -= 1;
  }

  page(messages: readonly Message[], done: boolean): void {
    this.#check("page");
    this.pages.push(messages);
    if (done) {
      this.done = true;
      this.#end();
    } else if (!this.#byHand) {
      this.within(() => this.replay?.next());
    }
  }

  failed(detail: string): void {
    this.#check("failed");
    this.failure = detail;
    this.#end();
  }

  get messages(): readonly Message[] {
    return this.pages.flat();
  }

  ids(kind: Kind): readonly bigint[] {
    return idsOf(this.messages, kind);
  }

  #check(call: string): void {
    if (this.#depth > 0) this.faults.push(`${call} came within another call`);
    if (this.done || this.failure !== undefined) this.faults.push(`${call} came after the end`);
  }
}

/** Everything there is above the floors and up to the ceilings, in the order in which it must come. */
export function expectedIds(
  rows: (topic: Topic) => readonly { readonly id: bigint }[],
  scope: ReplayScope,
): PerKind<readonly bigint[]> {
  const found: PerKind<bigint[]> = [[], []];
  scope.topics.forEach((topic, at) => {
    const kind = KINDS[topic.charCodeAt(0)] ?? 0;
    for (const { id } of rows(topic)) {
      if (id > (scope.floors[at] ?? 0n) && id <= scope.ceilings[kind]) found[kind].push(id);
    }
  });
  for (const ids of found) ids.sort((a, b) => Number(a - b));
  return found;
}

export function idsOf(messages: readonly Message[], kind: Kind): readonly bigint[] {
  return messages.filter((message) => message.kind === kind).map(({ id }) => id);
}

/** A store with `rows` messages, spread over `topics` of each kind. */
export function filled(clock: VirtualClock, rows: number, topics: number): MemoryStore {
  const store = new MemoryStore(clock);
  const random = new Prng(rows);
  for (let n = 0; n < rows; n++) store.insert(testTopic(random.pick<Kind>([GROUP, WELCOME]), random.int(topics)));
  return store;
}

/** A feed that has started, is not polling, and whose reader has been asked nothing yet. */
export async function startedOn(
  store: MemoryStore,
  clock: VirtualClock,
  options: Partial<FeedOptions> = {},
): Promise<MemoryFeed> {
  const memory = memoryFeed({ store, clock, options: { tickMs: 1e9, ...options } });
  await memory.feed.start();
  memory.feed.setListening(true);
  await clock.advanceAsync(0);
  memory.reader.takeAsked();
  return memory;
}

/** All of these topics above one floor, up to now. */
export function scopeOf(feed: RunningFeed, topics: readonly Topic[], floor = 0n): ReplayScope {
  return { topics, floors: topics.map(() => floor), ceilings: feed.tail.headIds };
}

export async function replayed(feed: RunningFeed, scope: ReplayScope, clock: VirtualClock): Promise<PageSink> {
  const sink = new PageSink().start(feed, scope);
  await clock.advanceAsync(0);
  await sink.ended;
  expect(sink.faults).toEqual([]);
  return sink;
}

export function expectExactly(sink: PageSink, store: MemoryStore, scope: ReplayScope): void {
  expect(sink.failure).toBeUndefined();
  const expected = expectedIds((topic) => store.ofTopic(topic), scope);
  for (const kind of KINDS) expect(sink.ids(kind)).toEqual(expected[kind]);
}
