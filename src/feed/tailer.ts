import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import { higher } from "../core/ids";
import type { Tail } from "../core/tail";
import { GROUP, KINDS, type Kind, WELCOME } from "../core/topic";
import { StoreError } from "../store/error";
import type { Committed, Newest, Reader, StoredMessage } from "../store/types";
import type { HeadIndex } from "./head-index";
import type { Intake } from "./intake";
import type { FeedOptions } from "./options";
import { faultOf, persist } from "./retry";

export interface TailerParts {
  readonly reader: Reader;
  readonly tail: Tail;
  readonly heads: HeadIndex;
  readonly intake: Intake;
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: FeedOptions;
}

/** A look that was asked for and has not begun; all who ask before it begins share it. */
interface Ticket {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
  readonly timer: Disposable;
}

/** A notification that waits for the answer to an own append. */
interface Announced {
  newest: Newest;
  readonly timer: Disposable;
}

/** How long a notification waits for the answer to an own append, in milliseconds. */
const OWN_ANSWER_MS = 2;

/**
 * Brings what is committed into the tail, by looking at the store again and again.
 *
 * A notification, a new LISTEN and a tick all do the same: they set "look again". One look runs at a time, and at
 * most one more is to follow it. Nothing but the store is trusted: a hint may be lost, late or wrong.
 */
export class Tailer {
  readonly #parts: TailerParts;
  readonly #stop = new AbortController();
  /** The look that will begin next, if anybody waits for it. */
  #next: Ticket | undefined;
  /** Looks that have begun, or will begin next, and somebody waits for. */
  readonly #tickets = new Set<Ticket>();
  #again = false;
  /** Per kind, what a notification announced and an own append may be about to bring. */
  readonly #announced: [Announced | undefined, Announced | undefined] = [undefined, undefined];
  /** Wakes the loop that waits for something to do. */
  #wake: (() => void) | undefined;
  #listening = false;
  #state: "new" | "looking" | "ready" | "failing" = "new";
  #lookedAt: number | undefined;
  #looks = 0;
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: TailerParts) {
    this.#parts = parts;
  }

  /** Whether the tail's head is known. Before, no stream can be served. */
  get started(): boolean {
    return this.#state !== "new";
  }

  /** Whether the first look is done and the last one did not fail. */
  get ready(): boolean {
    return this.#state === "ready";
  }

  /** Whether notifications reach us, as far as we were told. */
  get listening(): boolean {
    return this.#listening;
  }

  /** Looks done so far. */
  get looks(): number {
    return this.#looks;
  }

  /** Milliseconds since a look was last done; `undefined` before the first. */
  get lookAgeMs(): number | undefined {
    return this.#lookedAt === undefined ? undefined : this.#parts.clock.now() - this.#lookedAt;
  }

  /**
   * Begins at the store's newest ids; resolves after the first look, however long the store takes to answer.
   * @throws StoreError when stopped before that.
   */
  async start(): Promise<void> {
    const { reader, tail, heads } = this.#parts;
    if (this.started) throw new Error("a tailer starts once");
    try {
      const headIds = await this.#forEver(() => reader.headIds());
      tail.startAt(headIds);
      heads.startAt(headIds);
      await Promise.all(KINDS.map((kind) => this.#warm(kind, headIds[kind])));
      this.#state = "looking";
      await this.#forEver(() => this.#look());
    } catch (error) {
      throw this.#stop.signal.aborted ? goingDown() : error;
    }
    this.#loop = this.#run();
  }

  /** Ends looking; whoever waits for a look is told so. Resolves when no query is in flight any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    for (const announced of this.#announced) announced?.timer[Symbol.dispose]();
    for (const ticket of this.#tickets) this.#settle(ticket, goingDown());
    await this.#loop;
  }

  /** There may be something new in the store. */
  lookAgain(): void {
    this.#again = true;
    this.#wake?.();
  }

  /**
   * A notification came. One that announces what is in the tail already costs nothing. That of an own batch often
   * comes just before the answer to it: if an own append is under way (`maybeOwn`), it may take a moment longer.
   */
  notified(newest: Newest | undefined, maybeOwn: boolean): void {
    if (newest === undefined) this.lookAgain();
    else if (this.#has(newest)) return;
    else if (maybeOwn) this.#expect(newest);
    else this.lookAgain();
  }

  /** Whether notifications reach us. While they do not, the store is looked at every `pollMs`. */
  setListening(listening: boolean): void {
    if (this.#listening === listening) return;
    this.#listening = listening;
    this.lookAgain();
  }

  /**
   * Resolves after a look that began after this call; callers share it.
   * @throws StoreError `unreachable` when that takes longer than `lookMs`, or when this process is going down.
   */
  look(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(goingDown());
    this.#next ??= this.#ticket();
    this.lookAgain();
    return this.#next.promise;
  }

  /**
   * Takes a batch that this process committed. If it continues the tail it goes straight in, otherwise the store
   * is looked at: somebody else's rows lie between.
   */
  ingest(batch: Committed): void {
    const first = batch.messages[0];
    if (first === undefined || !this.started) return;
    if (first.id <= this.#parts.tail.headIds[batch.kind] + 1n) this.#parts.intake.accept(batch.messages);
    else this.lookAgain();
  }

  #expect(newest: Newest): void {
    const announced = this.#announced[newest.kind];
    if (announced === undefined) {
      const timer = this.#parts.clock.after(OWN_ANSWER_MS, () => this.#checkAnnounced(newest.kind));
      this.#announced[newest.kind] = { newest, timer };
    } else if (newest.id > announced.newest.id) {
      announced.newest = newest;
    }
  }

  #checkAnnounced(kind: Kind): void {
    const announced = this.#announced[kind];
    this.#announced[kind] = undefined;
    if (announced !== undefined && !this.#has(announced.newest)) this.lookAgain();
  }

  #has({ kind, id }: Newest): boolean {
    return id <= this.#parts.tail.headIds[kind];
  }

  /** Learns which topics the newest messages are of. The feed does without if the store does not tell. */
  async #warm(kind: Kind, headId: bigint): Promise<void> {
    const { reader, heads, log, options } = this.#parts;
    const above = higher(headId - BigInt(options.warmIds), 0n);
    if (above >= headId) return;
    try {
      heads.startFrom(kind, above, await reader.topicsIn(kind, above, headId));
    } catch (error) {
      log.warn("the newest topics were not learnt", { kind, fault: faultOf(error) });
    }
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (!this.#again) await this.#turn();
      try {
        await this.#forEver(() => this.#look());
      } catch {
        return; // stopped: nothing else ends it
      }
    }
  }

  /** Waits for a reason to look: somebody asks, or there has been no look for a while. */
  async #turn(): Promise<void> {
    const { clock, options } = this.#parts;
    if (this.#stop.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    using _tick = clock.after(this.#listening ? options.tickMs : options.pollMs, resolve);
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
  }

  /** One look: everything that was committed before it began is in the tail when it is done. */
  async #look(): Promise<void> {
    this.#again = false;
    this.#next = undefined;
    const served = [...this.#tickets];
    const drained = await Promise.allSettled([this.#drain(GROUP), this.#drain(WELCOME)]);
    for (const outcome of drained) if (outcome.status === "rejected") throw outcome.reason;
    this.#looks += 1;
    this.#lookedAt = this.#parts.clock.now();
    if (this.#state === "failing") this.#parts.log.info("looking again");
    this.#state = "ready";
    for (const ticket of served) this.#settle(ticket);
  }

  async #drain(kind: Kind): Promise<void> {
    const { reader, tail, intake, clock, options } = this.#parts;
    for (;;) {
      const rows = await reader.above(kind, tail.headIds[kind], options.lookRows, options.lookBytes);
      if (this.#stop.signal.aborted) return;
      intake.accept(rows);
      if (this.#isLast(rows)) return;
      await clock.sleep(0, this.#stop.signal);
    }
  }

  /** A page far below both its bounds was not cut, wherever exactly the store cuts. */
  #isLast(rows: readonly StoredMessage[]): boolean {
    const { lookRows, lookBytes } = this.#parts.options;
    let bytes = 0;
    for (const row of rows) bytes += row.body.byteLength;
    return rows.length === 0 || (rows.length * 2 < lookRows && bytes * 2 < lookBytes);
  }

  #forEver<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock } = this.#parts;
    return persist(attempt, {
      clock,
      signal: this.#stop.signal,
      giveUpMs: undefined,
      onFailure: (error) => this.#failed(error),
    });
  }

  #failed(error: unknown): void {
    if (this.#state !== "failing") this.#parts.log.warn("look failed", { fault: faultOf(error), error: `${error}` });
    if (this.started) this.#state = "failing";
  }

  #ticket(): Ticket {
    const { clock, options } = this.#parts;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = clock.after(options.lookMs, () => {
      const late = new StoreError("unreachable", `the store could not be looked at within ${options.lookMs} ms`);
      this.#settle(ticket, late);
    });
    const ticket: Ticket = { promise, resolve, reject, timer };
    this.#tickets.add(ticket);
    return ticket;
  }

  #settle(ticket: Ticket, error?: StoreError): void {
    if (!this.#tickets.delete(ticket)) return;
    if (this.#next === ticket) this.#next = undefined;
    ticket.timer[Symbol.dispose]();
    if (error === undefined) ticket.resolve();
    else ticket.reject(error);
  }
}

function goingDown(): StoreError {
  return new StoreError("unreachable", "the node is going down");
}
