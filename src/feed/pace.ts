import type { Page } from "./scan-reads";

/** Ids in the first window: small, so that the first page comes soon. Each next one is wider … */
const FIRST_WINDOW = 4_096;
const WINDOW_GROWTH = 8;
/** … up to this, and up to where about so many of its ids are wanted. */
const WIDEST_WINDOW = 4_194_304;
const WANTED_PER_WINDOW = 32_768;
/** Messages of the first page, which is to come soon and may be read in vain, and how they grow up to those of any page. */
const FIRST_PAGE_ROWS = 128;
const PAGE_GROWTH = 4;
export const PAGE_ROWS = 1_000;
/**
 * What reading costs, in microseconds, about as test/feed/replay-speed.ts shows it: a row of a range, whoever it is
 * for; or two queries, a look into the index for each topic, and each message found, first its id and then itself.
 * `byId`: a message by a known id, for a row of a range.
 */
const COST = { row: 2.6, rowKiB: 2, queries: 500, topic: 5, head: 6, found: 5, byId: 1.35 } as const;

/** How far a scan reads next, and by which way, judged by what it has read so far. */
export class Pace {
  #windowIds = FIRST_WINDOW;
  #pageRows = FIRST_PAGE_ROWS;
  #begun = false;
  #hasLeapt = false;
  /** Mean bytes of the messages of the last page. */
  #rowBytes = 1_024;
  /** Which part of the ids read last was wanted. */
  #density = 0;

  /** Ids of the next window. */
  get windowIds(): number {
    return this.#windowIds;
  }

  /** Messages of the next page, at most. */
  get pageRows(): number {
    return this.#pageRows;
  }

  /**
   * How many of `rows` messages to ask for if a page has room for `maxBytes`: what is read beyond it is thrown away.
   * A power of two if fewer, so that scans of the same messages ask the same.
   */
  rowsWithin(rows: number, maxBytes: number): number {
    return Math.min(rows, 2 ** Math.max(0, Math.round(Math.log2(maxBytes / this.#rowBytes))));
  }

  /** Whether anything wanted has been read. */
  get begun(): boolean {
    return this.#begun;
  }

  /**
   * Whether a scan that found nothing wanted where it began had better ask for the first message that is: unless
   * the `ids` that are left are read at no more than the cost of that.
   */
  isLeapCheaper(ids: bigint, topics: number): boolean {
    if (this.#begun || this.#hasLeapt || this.#windowIds === FIRST_WINDOW) return false;
    return Number(ids) * this.#rowCost > COST.queries + COST.topic * topics;
  }

  /**
   * Whether it costs less to read all rows of a window than to find those of some topics, after asking for the
   * heads of the `unknown` ones among them.
   * @param ids what is left to read; a window is not wider.
   */
  isRangeCheaper(ids: bigint, topics: number, unknown: number): boolean {
    const rows = Math.min(this.#windowIds, Number(ids));
    const findCost = COST.queries + COST.topic * topics + COST.head * unknown;
    return rows * this.#rowCost <= findCost + COST.found * this.#density * rows;
  }

  /** The same, once it is known that `wanted` of `ids` are wanted, and which. */
  isRangeCheaperThanIds(ids: bigint, wanted: number): boolean {
    return Number(ids) <= COST.byId * wanted;
  }

  get #rowCost(): number {
    return COST.row + (COST.rowKiB * this.#rowBytes) / 1_024;
  }

  /** A page was read by ids: the next one holds more. */
  readPart(page: Page): void {
    this.#measure(page);
    this.#growPages();
  }

  /** A page of a range of `ids` was read, of which `wanted` messages were wanted. */
  readRange(page: Page, wanted: number, ids: bigint): void {
    this.#measure(page);
    this.#growPages();
    this.#widen(wanted, Number(ids));
  }

  /** A window is read, and `wanted` ids were in it. */
  readWindow(wanted: number): void {
    this.#widen(wanted, this.#windowIds);
  }

  /** The scan goes on right before something wanted, and that shall come soon. */
  leapt(): void {
    this.#hasLeapt = true;
    this.#windowIds = FIRST_WINDOW;
    this.#pageRows = FIRST_PAGE_ROWS;
  }

  #measure({ messages, bytes }: Page): void {
    if (messages.length > 0) this.#rowBytes = bytes / messages.length;
  }

  #growPages(): void {
    this.#pageRows = Math.min(this.#pageRows * PAGE_GROWTH, PAGE_ROWS);
  }

  #widen(wanted: number, ids: number): void {
    this.#begun ||= wanted > 0;
    this.#density = wanted / Math.max(1, ids);
    const fitting = Math.max(FIRST_WINDOW, Math.floor(WANTED_PER_WINDOW / this.#density));
    this.#windowIds = Math.min(this.#windowIds * WINDOW_GROWTH, fitting, WIDEST_WINDOW);
  }
}
