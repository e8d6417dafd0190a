import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import { stackOf } from "../base/thrown";
import { higher, lower } from "../core/ids";
import type { Message } from "../core/message";
import type { ReplayScope } from "../core/session/events";
import type { Tail } from "../core/tail";
import { KINDS, type Kind, kindOf, type PerKind } from "../core/topic";
import { StoreError } from "../store/error";
import type { Reader } from "../store/types";
import type { HeadIndex } from "./head-index";
import { HeadQuestions } from "./head-questions";
import type { FeedOptions } from "./options";
import { QueryPool } from "./pool";
import { faultOf } from "./retry";
import { Scan, type ScanParts } from "./scan";
import { ScanReads, type Wanted } from "./scan-reads";
import type { Asker } from "./shared-reads";
import type { EncodeEntry, Replay, ReplaySink } from "./types";

export interface ReplayerParts {
  readonly reader: Reader;
  readonly tail: Tail;
  readonly heads: HeadIndex;
  readonly encode: EncodeEntry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: FeedOptions;
}

/** Topics looked up in the head index before other work has a turn. */
const TOPICS_PER_TURN = 16_384;
const LARGEST_PAGE_BYTES = 1 << 20;
const SMALLEST_PAGE_BYTES = 16 << 10;
/**
 * Bytes kept for others per replay that runs: what many read is likely to be asked for again, but a replay that runs
 * alone would only keep the garbage collector busy with what nobody asks for (a quarter of the replay's time).
 */
const SHARED_BYTES_PER_REPLAY = 2 * LARGEST_PAGE_BYTES;

/** Starts replays, and shares out among them the queries that run at once and the bytes of their pages. */
export class Replayer {
  readonly #parts: ReplayerParts;
  readonly #stop = new AbortController();
  readonly #pool: QueryPool;
  readonly #scanParts: ScanParts;
  readonly #runs = new Set<ReplayRun>();
  /** Per kind, an id up to which the store has no message any more. */
  readonly #gone: [bigint, bigint] = [0n, 0n];

  constructor(parts: ReplayerParts) {
    this.#parts = parts;
    const { reader, tail, heads, encode, clock, options } = parts;
    const { signal } = this.#stop;
    const pool = new QueryPool(options.replayQueries);
    const retryMs = options.replayRetryMs;
    this.#pool = pool;
    this.#scanParts = {
      tail,
      heads,
      questions: new HeadQuestions({ reader, heads, pool, patience: { clock, signal, giveUpMs: retryMs } }),
      reads: new ScanReads({
        reader,
        heads,
        encode,
        pool,
        clock,
        signal,
        retryMs,
        headIds: () => tail.headIds,
        maxBytes: () => Math.min(options.sharedBytes, this.#runs.size * SHARED_BYTES_PER_REPLAY),
      }),
      pageBytes: () => this.#pageBytes(),
      gone: this.#gone,
    };
  }

  /** Replays that have not ended. */
  get active(): number {
    return this.#runs.size;
  }

  get queriesRunning(): number {
    return this.#pool.running;
  }

  get queriesWaiting(): number {
    return this.#pool.waiting;
  }

  setGone(kind: Kind, upTo: bigint): void {
    this.#gone[kind] = higher(this.#gone[kind], upTo);
  }

  /** See Feed.replay. A ceiling above the tail's head counts as the head: what is above it comes as offers. */
  replay(scope: ReplayScope, sink: ReplaySink): Replay {
    const run: ReplayRun = new ReplayRun(sink, {
      log: this.#parts.log,
      admit: () => this.#admit(scope, run),
      onEnd: () => this.#runs.delete(run),
    });
    this.#runs.add(run);
    return run;
  }

  /** Cancels all replays; resolves when none of them does anything any more. */
  async stop(): Promise<void> {
    const runs = [...this.#runs];
    for (const run of runs) run.cancel();
    this.#stop.abort();
    await Promise.all(runs.map((run) => run.ended));
  }

  /** The scans of a scope: of each kind the topics that may have something new. */
  async #admit(scope: ReplayScope, asker: Asker): Promise<readonly Scan[]> {
    const { tail, heads, clock } = this.#parts;
    const headIds = tail.headIds;
    const wanted: PerKind<Wanted[]> = [[], []];
    for (const [at, topic] of scope.topics.entries()) {
      if (at % TOPICS_PER_TURN === TOPICS_PER_TURN - 1) await clock.sleep(0, this.#stop.signal);
      const floor = scope.floors[at] ?? 0n;
      const head = heads.get(topic);
      const isCurrent = head === undefined ? heads.isCurrent(topic, floor) === true : head <= floor;
      if (!isCurrent) wanted[kindOf(topic)].push({ topic, floor, head });
    }
    return KINDS.map((kind) => {
      const ceiling = lower(scope.ceilings[kind], headIds[kind]);
      return new Scan(this.#scanParts, { kind, wanted: wanted[kind], ceiling }, asker);
    });
  }

  /** Each replay holds two pages, the one being sent and the next: with few replays a page is large, with many small. */
  #pageBytes(): number {
    const share = Math.floor(this.#parts.options.replayBytes / (2 * Math.max(1, this.#runs.size)));
    return Math.min(LARGEST_PAGE_BYTES, Math.max(SMALLEST_PAGE_BYTES, share));
  }
}

interface ReplayRunParts {
  readonly log: Logger;
  readonly admit: () => Promise<readonly Scan[]>;
  readonly onEnd: () => void;
}

/** One replay: reads a page ahead, and hands each page over once it is asked for. */
class ReplayRun implements Replay, Asker {
  readonly #sink: ReplaySink;
  readonly #parts: ReplayRunParts;
  /** Resolves when this replay does nothing any more; never rejects. */
  readonly ended: Promise<void>;
  #cancelled = false;
  /** The first page is asked for from the start. */
  #asked = true;
  /** Wakes the run that waits to be asked. */
  #wake: (() => void) | undefined;

  constructor(sink: ReplaySink, parts: ReplayRunParts) {
    this.#sink = sink;
    this.#parts = parts;
    this.ended = this.#run();
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  next(): void {
    this.#asked = true;
    this.#wake?.();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // nothing happens within the call that starts it
    try {
      await this.#readAll(await this.#parts.admit());
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#parts.onEnd();
    }
  }

  async #readAll(scans: readonly Scan[]): Promise<void> {
    let turn = 0;
    while (!this.#cancelled) {
      const { messages, next } = await readInTurn(scans, turn);
      turn = next;
      await this.#untilAsked();
      const done = scans.every((scan) => scan.done);
      if (this.#cancelled || !this.#deliver(messages, done) || done) return;
    }
  }

  async #untilAsked(): Promise<void> {
    if (!this.#asked && !this.#cancelled) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
    this.#asked = false;
  }

  /** Whether the sink took it. One that throws is at fault itself: it is called no more. */
  #deliver(messages: readonly Message[], done: boolean): boolean {
    try {
      this.#sink.page(messages, done);
      return true;
    } catch (error) {
      this.#parts.log.error("replay dropped", { error: `${error}`, stack: stackOf(error) });
      return false;
    }
  }

  #fail(error: unknown): void {
    if (this.#cancelled) return;
    const fault = faultOf(error);
    // What the store does is said once by those who watch it, and each stream tells how it ended.
    if (error instanceof StoreError) this.#parts.log.debug("replay failed", { fault });
    else this.#parts.log.error("replay failed", { error: `${error}`, stack: stackOf(error) });
    try {
      this.#sink.failed(`the store could not be read: ${fault}`);
    } catch (thrown) {
      this.#parts.log.error("replay dropped", { error: `${thrown}`, stack: stackOf(thrown) });
    }
  }
}

/** A page of the next scan in turn that has one, and whose turn is next; no messages only when all are done. */
async function readInTurn(
  scans: readonly Scan[],
  turn: number,
): Promise<{ readonly messages: readonly Message[]; readonly next: number }> {
  for (let step = 0; step < scans.length; step++) {
    const at = (turn + step) % scans.length;
    const messages = (await scans[at]?.read()) ?? [];
    if (messages.length > 0) return { messages, next: at + 1 };
  }
  return { messages: [], next: turn };
}
