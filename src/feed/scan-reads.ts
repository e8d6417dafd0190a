import { higher } from "../core/ids";
import type { Message } from "../core/message";
import type { Kind, Topic } from "../core/topic";
import type { Reader, StoredMessage } from "../store/types";
import type { HeadIndex } from "./head-index";
import { type Answer, type Asker, SharedReads, type SharedReadsParts } from "./shared-reads";
import type { EncodeEntry } from "./types";

/** Messages of one page, encoded once for all who read it. */
export interface Page {
  readonly messages: readonly Message[];
  /** Bytes of its entries. */
  readonly bytes: number;
}

/** The ids that some topics have in a range. */
export interface IdWindow {
  readonly kind: Kind;
  /** Names it among the windows of this process. */
  readonly name: number;
  /** Ascending. */
  readonly ids: BigInt64Array;
}

/** A topic whose messages above a floor are wanted. */
export interface Wanted {
  readonly topic: Topic;
  readonly floor: bigint;
  /** An id that none of its messages is above, once that is known. */
  head: bigint | undefined;
}

/** A range of ids: above `from`, up to `to`. */
export interface IdRange {
  readonly from: bigint;
  readonly to: bigint;
  /** The answer must know of every message up to this id. */
  readonly upTo: bigint;
}

export interface ScanReadsParts extends Omit<SharedReadsParts<Page>, "bytesOf"> {
  readonly reader: Reader;
  readonly heads: HeadIndex;
  readonly encode: EncodeEntry;
}

/** Topics whose first messages one query looks for: several run at once, because whoever asks has nothing to send yet. */
const FIRST_TOPICS = 2_500;

/** More topics than this are not worth comparing: resumes that ask the same for so many are seldom. */
const SHARED_TOPICS = 4_096;

/** The questions that scans ask of the store, each of them asked once when many want to know. */
export class ScanReads {
  readonly #reader: Reader;
  readonly #heads: HeadIndex;
  readonly #encode: EncodeEntry;
  readonly #pages: SharedReads<Page>;
  readonly #windows: SharedReads<IdWindow>;
  /** Windows that cost no question: they must not displace those that did. */
  readonly #knownWindows: SharedReads<IdWindow>;
  readonly #firsts: SharedReads<bigint | undefined>;
  #names = 0;

  constructor(parts: ScanReadsParts) {
    this.#reader = parts.reader;
    this.#heads = parts.heads;
    this.#encode = parts.encode;
    this.#pages = new SharedReads({ ...parts, bytesOf: (page) => page.bytes });
    const windows: SharedReadsParts<IdWindow> = {
      ...parts,
      maxBytes: () => parts.maxBytes() >> 2,
      bytesOf: (window) => window.ids.byteLength,
    };
    this.#windows = new SharedReads(windows);
    this.#knownWindows = new SharedReads(windows);
    this.#firsts = new SharedReads({ ...parts, maxBytes: () => parts.maxBytes() >> 2, bytesOf: () => 0 });
  }

  /** The lowest id that these topics have above their floors and an id; nothing, if there is none up to `upTo`. */
  async first(
    kind: Kind,
    wanted: readonly Wanted[],
    { from, upTo }: Pick<IdRange, "from" | "upTo">,
    asker: Asker,
  ): Promise<bigint | undefined> {
    const answers: Promise<Answer<bigint | undefined>>[] = [];
    for (let at = 0; at < wanted.length; at += FIRST_TOPICS) {
      const some = wanted.slice(at, at + FIRST_TOPICS);
      const topics = some.map(({ topic }) => topic);
      const floors = some.map(({ floor }) => higher(floor, from));
      const key = wanted.length > SHARED_TOPICS ? undefined : `first ${kind} ${from} ${keyOf(some)}`;
      const ask = () => this.#reader.first(topics, floors);
      answers.push(this.#firsts.read({ key, kind, upTo, ask }, asker));
    }
    let first: bigint | undefined;
    for (const { value } of await Promise.all(answers)) {
      if (value !== undefined && (first === undefined || value < first)) first = value;
    }
    return first;
  }

  /** All messages of a kind above an id, whatever their topic, as many as fit (or did for whoever asked first). */
  above(kind: Kind, id: bigint, bounds: PageBounds, asker: Asker): Promise<Answer<Page>> {
    const { rows, bytes } = bounds;
    const ask = async () => this.#page(await this.#reader.above(kind, id, rows, bytes));
    return this.#pages.read({ key: `above ${kind} ${id}`, kind, upTo: id + 1n, ask }, asker);
  }

  /** The ids of these topics in a range: out of memory, if all ids above `from` are known there. */
  async window(kind: Kind, wanted: readonly Wanted[], range: IdRange, asker: Asker): Promise<IdWindow> {
    const { from, to, upTo } = range;
    const windows = from < this.#heads.idsKnownAbove(kind) ? this.#windows : this.#knownWindows;
    const ask = async () =>
      this.#named(kind, this.#known(kind, wanted, range) ?? (await this.#ids(kind, wanted, range)));
    const key = wanted.length > SHARED_TOPICS ? undefined : `ids ${kind} ${from} ${to} ${keyOf(wanted)}`;
    return (await windows.read({ key, kind, upTo, ask }, asker)).value;
  }

  /** The messages of a part of a window, as many from its front as fit (or did for whoever asked first). */
  async part(window: IdWindow, start: number, bounds: PageBounds, asker: Asker): Promise<Page> {
    const { kind } = window;
    const { rows, bytes } = bounds;
    const ids = window.ids.subarray(start, start + rows);
    const ask = async () => this.#page(await this.#reader.byIds(kind, ids, bytes));
    const key = `part ${window.name} ${start} ${rows}`;
    return (await this.#pages.read({ key, kind, upTo: 0n, ask }, asker)).value;
  }

  #ids(kind: Kind, wanted: readonly Wanted[], { from, to }: IdRange): Promise<BigInt64Array> {
    const topics = wanted.map(({ topic }) => topic);
    const floors = wanted.map(({ floor }) => floor);
    return this.#reader.ids(kind, topics, floors, from, to);
  }

  #known(kind: Kind, wanted: readonly Wanted[], { from, to }: IdRange): BigInt64Array | undefined {
    if (from < this.#heads.idsKnownAbove(kind)) return undefined;
    const ids: number[] = [];
    for (const { topic, floor } of wanted) this.#heads.collectIds(topic, higher(floor, from), to, ids);
    const ascending = Float64Array.from(ids).sort();
    const known = new BigInt64Array(ascending.length);
    // Not by `from`, which takes three times as long.
    for (let at = 0; at < ascending.length; at++) known[at] = BigInt(ascending[at] ?? 0);
    return known;
  }

  #named(kind: Kind, ids: BigInt64Array): IdWindow {
    this.#names += 1;
    return { kind, name: this.#names, ids };
  }

  #page(rows: readonly StoredMessage[]): Page {
    let bytes = 0;
    const messages = rows.map((row) => {
      const entry = this.#encode(row);
      bytes += entry.byteLength;
      return { kind: row.kind, id: row.id, topic: row.topic, entry };
    });
    return { messages, bytes };
  }
}

/** What one page may hold at most, about. */
export interface PageBounds {
  readonly rows: number;
  readonly bytes: number;
}

/** The lowest floor of topics; `undefined` of none. */
export function lowestFloor(wanted: readonly Wanted[]): bigint | undefined {
  let lowest: bigint | undefined;
  for (const { floor } of wanted) if (lowest === undefined || floor < lowest) lowest = floor;
  return lowest;
}

/** Each topic with its length before it, so that no two lists read the same. */
function keyOf(wanted: readonly Wanted[]): string {
  return wanted.map(({ topic, floor }) => `${topic.length}:${topic}${floor}`).join(" ");
}
