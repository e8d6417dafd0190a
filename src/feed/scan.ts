import type { Message } from "../core/message";
import type { Offset, Tail } from "../core/tail";
import type { Kind, Topic } from "../core/topic";
import type { HeadIndex } from "./head-index";
import type { HeadQuestions } from "./head-questions";
import { higher, lower } from "./ids";
import type { IdWindow, PageBounds, ScanReads, Wanted } from "./scan-reads";
import type { Asker } from "./shared-reads";

export interface ScanParts {
  readonly tail: Tail;
  readonly heads: HeadIndex;
  readonly questions: HeadQuestions;
  readonly reads: ScanReads;
  /** Bytes of entries that a page of any scan may hold now, about. */
  readonly pageBytes: () => number;
}

/** One kind's share of a replay. */
export interface ScanScope {
  readonly kind: Kind;
  readonly wanted: readonly Wanted[];
  /** Inclusive; not above the tail's head. */
  readonly ceiling: bigint;
}

/** Where the next messages come from. */
type Source =
  | { readonly kind: "undecided" }
  /** Offsets in the tail; everything wanted is among them. */
  | { readonly kind: "tail"; readonly offsets: readonly Offset[]; next: number }
  /** Rows of the store whatever their topic, to be filtered here. */
  | { readonly kind: "range" }
  /** Known ids, of which those up to `limit` are wanted. */
  | { readonly kind: "window"; readonly window: IdWindow; readonly limit: bigint; next: number };

/** Topics whose head is asked for at a time. */
const HEADS_AT_ONCE = 1_000;
/** Ids in the first window for ids: small, so that the first page comes soon. Each next one is wider. */
const FIRST_WINDOW = 4_096;
const WINDOW_GROWTH = 8;
/** The widest window, and how wide it may become where next to nothing (one id in 64) is wanted. */
const WIDEST_WINDOW = 262_144;
const WIDEST_SPARSE_WINDOW = 4_194_304;
const SPARSE = 64;
/** Messages of the first page by ids, how they grow, and of any page. */
const FIRST_PAGE_ROWS = 128;
const PAGE_GROWTH = 4;
const PAGE_ROWS = 1_000;
/** What queries cost about, in microseconds: a query for ids and its page, each topic in it, and a row that is read. */
const IDS_QUERY_COST = 300;
const IDS_TOPIC_COST = 2;
const ROW_COST = 1;
const ROW_KIB_COST = 1;

/**
 * Reads what some topics of one kind have above their floors, up to a ceiling, in one ascending pass.
 *
 * It always takes the cheapest way on from where it stands: out of the tail if all that is left is there; else
 * the ids of a window and then the messages by id; or, where the topics are many and the range is short, every
 * row of the range, filtered here. A way that ends (the tail moved on, a window is read) is just decided anew.
 */
export class Scan {
  readonly #parts: ScanParts;
  readonly #asker: Asker;
  readonly #kind: Kind;
  readonly #ceiling: bigint;
  #wanted: readonly Wanted[];
  /** Everything wanted up to here has been read. */
  #position: bigint;
  #source: Source = { kind: "undecided" };
  #windowIds = FIRST_WINDOW;
  #pageRows = FIRST_PAGE_ROWS;
  #begun = false;
  /** Mean bytes of the messages of the last page. */
  #rowBytes = 1_024;
  #floors: ReadonlyMap<Topic, bigint> | undefined;

  constructor(parts: ScanParts, scope: ScanScope, asker: Asker) {
    this.#parts = parts;
    this.#asker = asker;
    this.#kind = scope.kind;
    this.#ceiling = scope.ceiling;
    this.#wanted = scope.wanted;
    this.#position = lowestFloor(scope.wanted) ?? scope.ceiling;
  }

  /** Nothing is left to read. */
  get done(): boolean {
    return this.#wanted.length === 0 || this.#position >= this.#ceiling;
  }

  /**
   * The next messages, ascending; none only when there are no more.
   * @throws StoreError when the store could not be read.
   */
  async read(): Promise<readonly Message[]> {
    while (!this.done) {
      const messages = await this.#step();
      if (messages.length > 0) return messages;
    }
    return [];
  }

  async #step(): Promise<readonly Message[]> {
    const source = this.#source;
    switch (source.kind) {
      case "undecided":
        await this.#decide();
        return [];
      case "tail":
        return this.#fromTail(source);
      case "range":
        return await this.#fromRange();
      case "window":
        return await this.#fromWindow(source);
      default:
        return source satisfies never;
    }
  }

  async #decide(): Promise<void> {
    const { tail } = this.#parts;
    if (this.#position >= tail.keptAbove[this.#kind]) return this.#takeTail();
    await this.#askHeads();
    this.#narrow();
    if (this.done) return;
    const keptAbove = tail.keptAbove[this.#kind];
    if (this.#position >= keptAbove) return this.#takeTail();
    const limit = lower(this.#ceiling, keptAbove);
    const ids = Math.min(this.#windowIds, Number(limit - this.#position));
    const rangeCost = ids * (ROW_COST + (ROW_KIB_COST * this.#rowBytes) / 1_024);
    if (rangeCost <= IDS_QUERY_COST + IDS_TOPIC_COST * this.#wanted.length) this.#source = { kind: "range" };
    else await this.#takeWindow();
  }

  /**
   * Learns the heads of topics that are not known, to leave out those which have nothing new. From the
   * beginning, nearly every topic has something: that is asked only once the first page is on its way.
   */
  async #askHeads(): Promise<void> {
    const { heads, questions } = this.#parts;
    const unknown: Wanted[] = [];
    for (const wanted of this.#wanted) {
      wanted.head ??= heads.get(wanted.topic);
      if (wanted.head === undefined && (this.#begun || wanted.floor > 0n)) unknown.push(wanted);
    }
    this.#begun = true;
    for (let at = 0; at < unknown.length && !this.#asker.cancelled; at += HEADS_AT_ONCE) {
      const asked = unknown.slice(at, at + HEADS_AT_ONCE).filter((wanted) => {
        wanted.head = heads.get(wanted.topic);
        return wanted.head === undefined;
      });
      const answers = await questions.ask(asked.map(({ topic }) => topic));
      asked.forEach((wanted, n) => {
        wanted.head = answers[n];
      });
    }
  }

  /** Drops the topics that have nothing beyond this position, and skips to where the next one begins. */
  #narrow(): void {
    const kept = this.#wanted.filter(({ head, floor }) => {
      return floor < this.#ceiling && (head === undefined || (head > floor && head > this.#position));
    });
    if (kept.length < this.#wanted.length) this.#wanted = kept;
    const lowest = lowestFloor(kept) ?? this.#ceiling;
    if (lowest > this.#position) this.#position = lowest;
  }

  /** All that is left is in the tail: no query at all. */
  #takeTail(): void {
    const { tail } = this.#parts;
    const offsets: Offset[] = [];
    for (const { topic, floor } of this.#wanted) {
      const above = higher(floor, this.#position);
      for (let offset = tail.newestOf(topic); offset !== 0; offset = tail.previousOf(offset)) {
        const message = tail.get(offset);
        if (message === undefined || message.id <= above) break;
        if (message.id <= this.#ceiling) offsets.push(offset);
      }
    }
    offsets.sort((a, b) => a - b);
    this.#source = { kind: "tail", offsets, next: 0 };
  }

  #fromTail(source: Source & { kind: "tail" }): readonly Message[] {
    const messages: Message[] = [];
    const maxBytes = this.#parts.pageBytes();
    let bytes = 0;
    while (source.next < source.offsets.length && messages.length < PAGE_ROWS && bytes < maxBytes) {
      const message = this.#parts.tail.get(source.offsets[source.next] ?? 0);
      if (message === undefined) {
        this.#source = { kind: "undecided" }; // it has left the tail meanwhile: the store has it
        return messages;
      }
      messages.push(message);
      bytes += message.entry.byteLength;
      source.next += 1;
      this.#position = message.id;
    }
    if (source.next >= source.offsets.length) this.#position = this.#ceiling;
    return messages;
  }

  async #fromRange(): Promise<readonly Message[]> {
    const { value: page, covers } = await this.#parts.reads.above(
      this.#kind,
      this.#position,
      this.#bounds(PAGE_ROWS),
      this.#asker,
    );
    const read = page.messages.at(-1)?.id ?? covers;
    this.#floors ??= new Map(this.#wanted.map(({ topic, floor }) => [topic, floor]));
    const floors = this.#floors;
    const messages = page.messages.filter(({ id, topic }) => {
      return id <= this.#ceiling && id > (floors.get(topic) ?? this.#ceiling);
    });
    this.#position = lower(read, this.#ceiling);
    this.#source = { kind: "undecided" };
    this.#measure(page.bytes, page.messages.length);
    this.#widen(messages.length);
    return messages;
  }

  /**
   * A window reaches as far as it is wide, beyond the ceiling and into what the tail has: so two scans that differ
   * in nothing but when they began ask the same. What lies beyond the limit is not read.
   */
  async #takeWindow(): Promise<void> {
    const { tail, reads } = this.#parts;
    const from = this.#position;
    const to = from + BigInt(this.#windowIds);
    const limit = lower(lower(to, this.#ceiling), tail.keptAbove[this.#kind]);
    const wanted = this.#wanted.filter(({ floor }) => floor < to);
    const window = await reads.window(this.#kind, wanted, { from, to, upTo: limit }, this.#asker);
    this.#source = { kind: "window", window, limit, next: 0 };
  }

  async #fromWindow(source: Source & { kind: "window" }): Promise<readonly Message[]> {
    const { window, limit } = source;
    const first = window.ids[source.next];
    if (first === undefined || first > limit) {
      this.#position = limit;
      this.#source = { kind: "undecided" };
      this.#widen(window.ids.length);
      return [];
    }
    const bounds = this.#bounds(this.#pageRows);
    const page = await this.#parts.reads.part(window, source.next, bounds, this.#asker);
    const last = page.messages.at(-1)?.id;
    if (last === undefined)
      source.next += bounds.rows; // all of them have gone
    else while ((window.ids[source.next] ?? last + 1n) <= last) source.next += 1;
    this.#pageRows = Math.min(this.#pageRows * PAGE_GROWTH, PAGE_ROWS);
    this.#measure(page.bytes, page.messages.length);
    if (last !== undefined) this.#position = lower(last, limit);
    return last === undefined || last <= limit ? page.messages : page.messages.filter(({ id }) => id <= limit);
  }

  #bounds(rows: number): PageBounds {
    return { rows, bytes: this.#parts.pageBytes() };
  }

  #measure(bytes: number, rows: number): void {
    if (rows > 0) this.#rowBytes = bytes / rows;
  }

  #widen(found: number): void {
    const widest = found * SPARSE < this.#windowIds ? WIDEST_SPARSE_WINDOW : WIDEST_WINDOW;
    this.#windowIds = Math.min(this.#windowIds * WINDOW_GROWTH, widest);
  }
}

function lowestFloor(wanted: readonly Wanted[]): bigint | undefined {
  let lowest: bigint | undefined;
  for (const { floor } of wanted) if (lowest === undefined || floor < lowest) lowest = floor;
  return lowest;
}
