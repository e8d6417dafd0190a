import { higher, lower } from "../core/ids";
import type { Message } from "../core/message";
import type { Offset, Tail } from "../core/tail";
import type { Kind, PerKind } from "../core/topic";
import type { HeadIndex } from "./head-index";
import type { HeadQuestions } from "./head-questions";
import { PAGE_ROWS, Pace } from "./pace";
import { type IdWindow, lowestFloor, type PageBounds, type ScanReads, type Wanted } from "./scan-reads";
import type { Asker } from "./shared-reads";
import { Sweep } from "./sweep";

export interface ScanParts {
  readonly tail: Tail;
  readonly heads: HeadIndex;
  readonly questions: HeadQuestions;
  readonly reads: ScanReads;
  /** Bytes of entries that a page of any scan may hold now, about. */
  readonly pageBytes: () => number;
  /** Per kind, an id up to which the store has no message any more; rises. */
  readonly gone: PerKind<bigint>;
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
  /** Rows of the store whatever their topic, up to `until`, to be filtered here. */
  | { readonly kind: "range"; readonly until: bigint }
  /** Known ids, of which those up to `limit` are wanted. */
  | { readonly kind: "window"; readonly window: IdWindow; readonly limit: bigint; next: number };

/** Topics whose head is asked for at a time. */
const HEADS_AT_ONCE = 4_000;
/** So many heads are asked for in any case: what is learnt serves the next resume, too. */
const HEADS_ANYWAY = 1_000;

/**
 * Reads what some topics of one kind have above their floors, up to a ceiling, in one ascending pass.
 *
 * It always takes the cheapest way on from where it stands: out of the tail if all that is left is there; else
 * the ids of a window, which the newest need not be asked for, and then the messages by id; or, where that would cost more because the topics are many or
 * most rows are wanted, every row, filtered here. A way that ends (the tail moved on, a window is read) is just
 * decided anew.
 */
export class Scan {
  readonly #parts: ScanParts;
  readonly #asker: Asker;
  readonly #kind: Kind;
  readonly #ceiling: bigint;
  readonly #pace = new Pace();
  #wanted: readonly Wanted[];
  /** Everything wanted up to here has been read. */
  #position: bigint;
  #source: Source = { kind: "undecided" };
  readonly #sweep: Sweep;

  constructor(parts: ScanParts, scope: ScanScope, asker: Asker) {
    this.#parts = parts;
    this.#asker = asker;
    this.#kind = scope.kind;
    this.#ceiling = scope.ceiling;
    this.#wanted = scope.wanted;
    this.#sweep = new Sweep(parts.heads, scope.ceiling);
    this.#position = higher(lowestFloor(scope.wanted) ?? scope.ceiling, parts.gone[scope.kind]);
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
        return await this.#fromRange(source);
      case "window":
        return await this.#fromWindow(source);
      default:
        return source satisfies never;
    }
  }

  async #decide(): Promise<void> {
    if (this.#isInTail()) return this.#takeTail();
    if (this.#areIdsKnown) return await this.#takeKnown();
    if (this.#isLeapCheaper) return await this.#leap();
    const unknown = this.#wanted.reduce((count, wanted) => (this.#isUnknown(wanted) ? count + 1 : count), 0);
    if (unknown > HEADS_ANYWAY && this.#isRangeCheaper(unknown)) return this.#takeRange();
    await this.#askHeads();
    this.#narrow();
    if (this.done) return;
    if (this.#isInTail()) return this.#takeTail();
    if (this.#isRangeCheaper(0)) return this.#takeRange();
    await this.#takeWindow();
  }

  #isInTail(): boolean {
    return this.#position >= this.#parts.tail.keptAbove[this.#kind];
  }

  /** Whether the ids of all that is left are in memory. */
  get #areIdsKnown(): boolean {
    return this.#position >= this.#parts.heads.idsKnownAbove(this.#kind);
  }

  /** What is above it is not read from the store. */
  get #limit(): bigint {
    return lower(this.#ceiling, this.#parts.tail.keptAbove[this.#kind]);
  }

  #isRangeCheaper(unknown: number): boolean {
    return this.#pace.isRangeCheaper(this.#limit - this.#position, this.#wanted.length, unknown);
  }

  get #isLeapCheaper(): boolean {
    return this.#pace.isLeapCheaper(this.#limit - this.#position, this.#wanted.length);
  }

  /** Goes on right before the first message that is wanted. */
  async #leap(): Promise<void> {
    const range = { from: this.#position, upTo: this.#ceiling };
    const first = await this.#parts.reads.first(this.#kind, this.#wanted, range, this.#asker);
    this.#position = first === undefined ? this.#ceiling : lower(first - 1n, this.#ceiling);
    this.#sweep.interrupt();
    this.#pace.leapt();
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
      if (this.#isUnknown(wanted)) unknown.push(wanted);
    }
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

  /** Whether the store would be asked for a topic's head. */
  #isUnknown({ head, floor }: Wanted): boolean {
    return head === undefined && (this.#pace.begun || floor > 0n);
  }

  /** Drops the topics that have nothing beyond this position, and skips to where the next one begins. */
  #narrow(): void {
    const kept = this.#wanted.filter(({ head, floor }) => {
      return floor < this.#ceiling && (head === undefined || (head > floor && head > this.#position));
    });
    if (kept.length < this.#wanted.length) this.#wanted = kept;
    this.#position = higher(this.#position, lowestFloor(kept) ?? this.#ceiling);
  }

  #takeRange(): void {
    this.#source = { kind: "range", until: lower(this.#position + BigInt(this.#pace.windowIds), this.#limit) };
  }

  /** All that is left is in the tail: no query at all. */
  #takeTail(): void {
    this.#sweep.interrupt();
    const { tail } = this.#parts;
    const offsets: Offset[] = [];
    for (const { topic, floor } of this.#wanted) {
      tail.collectOffsets(topic, higher(floor, this.#position), this.#ceiling, offsets);
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

  async #fromRange({ until }: Source & { kind: "range" }): Promise<readonly Message[]> {
    this.#sweep.begin(this.#position);
    const { value: page, covers } = await this.#parts.reads.above(
      this.#kind,
      this.#position,
      this.#bounds,
      this.#asker,
    );
    const read = page.messages.at(-1)?.id ?? covers;
    const messages = this.#sweep.pick(page.messages, this.#wanted);
    const from = this.#position;
    this.#position = lower(read, this.#ceiling);
    this.#pace.readRange(page, messages.length, this.#position - from);
    if (this.#position >= until || this.#isLeapCheaper) this.#source = { kind: "undecided" };
    if (this.done) this.#sweep.learn(this.#wanted);
    return messages;
  }

  /** No question but for the messages themselves, by id; or for all rows, if nearly all of them are wanted. */
  async #takeKnown(): Promise<void> {
    const source = await this.#window();
    const wanted = source.window.ids.findLastIndex((id) => id <= source.limit) + 1;
    if (this.#pace.isRangeCheaperThanIds(source.limit - this.#position, wanted)) this.#takeRange();
    else this.#takeIds(source);
  }

  async #takeWindow(): Promise<void> {
    this.#takeIds(await this.#window());
  }

  #takeIds(source: Source & { kind: "window" }): void {
    this.#sweep.interrupt();
    this.#source = source;
  }

  /**
   * A window reaches as far as it is wide, beyond the ceiling and into what the tail has: so two scans that differ
   * in nothing but when they began ask the same. What lies beyond the limit is not read.
   */
  async #window(): Promise<Source & { kind: "window" }> {
    const from = this.#position;
    const to = from + BigInt(this.#pace.windowIds);
    const limit = lower(to, this.#limit);
    const wanted = this.#wanted.filter(({ floor }) => floor < to);
    const window = await this.#parts.reads.window(this.#kind, wanted, { from, to, upTo: limit }, this.#asker);
    return { kind: "window", window, limit, next: 0 };
  }

  async #fromWindow(source: Source & { kind: "window" }): Promise<readonly Message[]> {
    const { window, limit } = source;
    const first = window.ids[source.next];
    if (first === undefined || first > limit) {
      this.#position = limit;
      this.#source = { kind: "undecided" };
      this.#pace.readWindow(window.ids.length);
      return [];
    }
    const bounds = this.#bounds;
    const page = await this.#parts.reads.part(window, source.next, bounds, this.#asker);
    const last = page.messages.at(-1)?.id;
    if (last === undefined)
      source.next += bounds.rows; // all of them have gone
    else while ((window.ids[source.next] ?? last + 1n) <= last) source.next += 1;
    this.#pace.readPart(page);
    if (last !== undefined) this.#position = lower(last, limit);
    return last === undefined || last <= limit ? page.messages : page.messages.filter(({ id }) => id <= limit);
  }

  get #bounds(): PageBounds {
    const bytes = this.#parts.pageBytes();
    return { rows: this.#pace.rowsWithin(this.#pace.pageRows, bytes), bytes };
  }
}
