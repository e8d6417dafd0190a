import type { Clock } from "../../src/base/clock";
import { KINDS, type Kind, kindOf, type PerKind, type Topic, topicOf } from "../../src/core/topic";
import type { StoreError } from "../../src/store/error";
import type {
  Appender,
  Committed,
  Direction,
  NewMessage,
  PageSize,
  Reader,
  StoredMessage,
  TopicIds,
} from "../../src/store/types";

/** How long the parts of a call take, in milliseconds; 0 = no timer at all, just a promise. */
export interface Delays {
  /** Until a query sees the rows, or an append is committed. */
  readonly there: number;
  /** From then until the caller knows. */
  readonly back: number;
}

const AT_ONCE: Delays = { there: 0, back: 0 };

/**
 * The store as its types promise it, in memory and on a clock of the test's own. As many readers and appenders
 * as are wanted share it, as nodes share a database.
 */
export class MemoryStore {
  readonly #clock: Clock;
  /** Ascending by id. */
  readonly #rows: PerKind<StoredMessage[]> = [[], []];
  readonly #ofTopic = new Map<Topic, StoredMessage[]>();
  readonly #byDigest = new Map<string, bigint>();
  readonly #lastId: [bigint, bigint] = [0n, 0n];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What it says when it is asked. */
  isStandby = false;

  /** Commits a message without anybody being told, as another node would. `holes`: ids that are skipped before it. */
  insert(topic: Topic, body: Uint8Array = new Uint8Array(8), holes = 0n): StoredMessage {
    const kind = kindOf(topic);
    const id = this.#lastId[kind] + holes + 1n;
    const stored: StoredMessage = { kind, id, topic, createdNs: this.#clock.wallNs(), arm: 1, body };
    this.#lastId[kind] = id;
    this.#rows[kind].push(stored);
    const ofTopic = this.#ofTopic.get(topic);
    if (ofTopic === undefined) this.#ofTopic.set(topic, [stored]);
    else ofTopic.push(stored);
    return stored;
  }

  /** Deletes every message of a kind up to an id, as retention does. Ids are not given again. */
  deleteUpTo(kind: Kind, id: bigint): void {
    const rows = this.#rows[kind];
    rows.splice(0, firstAbove(rows, id));
    for (const [topic, ofTopic] of this.#ofTopic) {
      if (kindOf(topic) === kind) ofTopic.splice(0, firstAbove(ofTopic, id));
    }
  }

  /** All messages of a kind, ascending. */
  rows(kind: Kind): readonly StoredMessage[] {
    return this.#rows[kind];
  }

  /** All messages of a topic, ascending. */
  ofTopic(topic: Topic): readonly StoredMessage[] {
    return this.#ofTopic.get(topic) ?? [];
  }

  /** Under which id a published message is stored, if it is. */
  idOf(message: NewMessage): bigint | undefined {
    return this.#byDigest.get(nameOf(message));
  }

  headIds(): PerKind<bigint> {
    return [this.#lastId[0], this.#lastId[1]];
  }

  reader(delays: () => Delays = () => AT_ONCE): MemoryReader {
    return new MemoryReader(this, this.#clock, delays);
  }

  /** The appender of one process: one batch after the other, each told to `onCommitted` before it is acked. */
  appender(onCommitted: (batch: Committed) => void, delays: () => Delays = () => AT_ONCE): Appender {
    let last: Promise<unknown> = Promise.resolve();
    const append = async (request: readonly NewMessage[]) => {
      const { there, back } = delays();
      await pause(this.#clock, there);
      const { ids, batch } = this.#commit(request);
      await pause(this.#clock, back);
      if (batch !== undefined) onCommitted(batch);
      return ids;
    };
    return {
      append: (request) => {
        const appended = last.then(() => append(request));
        last = appended;
        return appended;
      },
    };
  }

  #commit(request: readonly NewMessage[]): { readonly ids: readonly bigint[]; readonly batch: Committed | undefined } {
    const messages: StoredMessage[] = [];
    const ids = request.map((message) => {
      const digest = nameOf(message);
      const known = this.#byDigest.get(digest);
      if (known !== undefined) return known;
      const stored = this.insert(message.topic, message.body);
      this.#byDigest.set(digest, stored.id);
      messages.push(stored);
      return stored.id;
    });
    const kind = messages[0]?.kind;
    return { ids, batch: kind === undefined ? undefined : { kind, messages } };
  }
}

export type QueryName = Exclude<keyof Reader, symbol>;

/** One process's way to read a MemoryStore. It counts, and can be told to fail. */
export class MemoryReader implements Reader {
  readonly #store: MemoryStore;
  readonly #clock: Clock;
  readonly #delays: () => Delays;
  readonly #asked: QueryName[] = [];
  #running = 0;
  #mostRunning = 0;
  /** What the next queries fail with, before they see anything; `undefined` = they work. */
  failure: StoreError | undefined;
  /** Called at the start of each query. */
  onQuery: ((name: QueryName) => void) | undefined;

  constructor(store: MemoryStore, clock: Clock, delays: () => Delays) {
    this.#store = store;
    this.#clock = clock;
    this.#delays = delays;
  }

  /** The names of the queries asked since this was last called. */
  takeAsked(): readonly QueryName[] {
    return this.#asked.splice(0);
  }

  /** How many queries there were at once at most. */
  get mostRunning(): number {
    return this.#mostRunning;
  }

  isStandby(): Promise<boolean> {
    return this.#query("isStandby", () => this.#store.isStandby);
  }

  headIds(): Promise<PerKind<bigint>> {
    return this.#query("headIds", () => this.#store.headIds());
  }

  above(kind: Kind, id: bigint, maxRows: number, maxBytes: number): Promise<readonly StoredMessage[]> {
    return this.#query("above", () => {
      const rows = this.#store.rows(kind);
      return prefix(rows.slice(firstAbove(rows, id), firstAbove(rows, id) + maxRows), maxBytes);
    });
  }

  heads(topics: readonly Topic[]): Promise<readonly bigint[]> {
    return this.#query("heads", () => topics.map((topic) => this.#store.ofTopic(topic).at(-1)?.id ?? 0n));
  }

  topicsIn(kind: Kind, above: bigint, to: bigint): Promise<readonly TopicIds[]> {
    return this.#query("topicsIn", () => {
      const found = new Map<Topic, readonly bigint[]>();
      for (const { topic, id } of this.#store.rows(kind)) {
        if (id <= above || id > to) continue;
        const before = found.get(topic) ?? [];
        found.delete(topic);
        found.set(topic, [...before, id]);
      }
      return [...found].map(([topic, ids]) => ({ topic, ids: BigInt64Array.from(ids) }));
    });
  }

  first(topics: readonly Topic[], floors: readonly bigint[]): Promise<bigint | undefined> {
    return this.#query("first", () => {
      const found = topics.flatMap((topic, at) => {
        const id = this.#store.ofTopic(topic).find(({ id }) => id > (floors[at] ?? 0n))?.id;
        return id === undefined ? [] : [id];
      });
      return found.sort((a, b) => (a < b ? -1 : 1))[0];
    });
  }

  ids(kind: Kind, topics: readonly Topic[], floors: readonly bigint[], from: bigint, to: bigint) {
    return this.#query("ids", () => {
      const found: bigint[] = [];
      topics.forEach((topic, at) => {
        if (kindOf(topic) !== kind) throw new RangeError("topics of another kind");
        const floor = floors[at] ?? 0n;
        for (const { id } of this.#store.ofTopic(topic)) if (id > floor && id > from && id <= to) found.push(id);
      });
      return BigInt64Array.from(found).sort();
    });
  }

  byIds(kind: Kind, ids: BigInt64Array, maxBytes: number): Promise<readonly StoredMessage[]> {
    return this.#query("byIds", () => {
      const rows = this.#store.rows(kind);
      const found = [...ids].flatMap((id) => {
        const row = rows[firstAbove(rows, id) - 1];
        return row?.id === id ? [row] : [];
      });
      return prefix(found, maxBytes);
    });
  }

  ofTopic(topic: Topic, direction: Direction, cursor: bigint | undefined, size: PageSize) {
    return this.#query("ofTopic", () => {
      const rows = [...this.#store.ofTopic(topic)];
      const ordered = direction === "ascending" ? rows : rows.reverse();
      const beyond = ordered.filter(({ id }) => {
        return cursor === undefined || (direction === "ascending" ? id > cursor : id < cursor);
      });
      const asked = beyond.slice(0, size.rows);
      let bytes = 0;
      const over = asked.findIndex(({ body }, nth) => {
        bytes += body.byteLength;
        return bytes > size.bytes && nth > 0;
      });
      return { messages: over === -1 ? asked : asked.slice(0, over), isCut: over !== -1 };
    });
  }

  async #query<T>(name: QueryName, look: () => T): Promise<T> {
    this.#asked.push(name);
    this.onQuery?.(name);
    this.#running += 1;
    this.#mostRunning = Math.max(this.#mostRunning, this.#running);
    try {
      const { there, back } = this.#delays();
      await pause(this.#clock, there);
      if (this.failure !== undefined) throw this.failure;
      const seen = look();
      await pause(this.#clock, back);
      return seen;
    } finally {
      this.#running -= 1;
    }
  }
}

/** A topic for tests: a kind and a number. */
export function testTopic(kind: Kind, n: number): Topic {
  return topicOf(kind, new Uint8Array([n >> 16, n >> 8, n]));
}

/** Messages to publish, all of one kind, told apart by their number. */
export function testMessage(topic: Topic, n: number, bytes = 8): NewMessage {
  const digest = new Uint8Array(32);
  new DataView(digest.buffer).setFloat64(0, n);
  return { kind: kindOf(topic), topic, digest, arm: 1, body: new Uint8Array(bytes) };
}

/** Topics of every kind, `count` of each. */
export function testTopics(count: number): readonly Topic[] {
  return KINDS.flatMap((kind) => Array.from({ length: count }, (_, n) => testTopic(kind, n)));
}

function nameOf(message: NewMessage): string {
  return `${message.topic}/${message.digest}`;
}

function pause(clock: Clock, ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : clock.sleep(ms);
}

function prefix(rows: readonly StoredMessage[], maxBytes: number): readonly StoredMessage[] {
  let bytes = 0;
  const cut = rows.findIndex((row) => {
    bytes += row.body.byteLength;
    return bytes > maxBytes;
  });
  return cut === -1 ? rows : rows.slice(0, Math.max(1, cut));
}

/** Index of the first row above an id. */
function firstAbove(rows: readonly StoredMessage[], id: bigint): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.id ?? 0n) <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}
