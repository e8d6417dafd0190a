import type { Clock } from "../base/clock";
import type { Kind, PerKind } from "../core/topic";
import type { QueryPool } from "./pool";
import { persist } from "./retry";

/** Whoever wants an answer, until it does not any more. */
export interface Asker {
  readonly cancelled: boolean;
}

export interface Question<T> {
  /** Equal keys ask the same; `undefined`: not worth sharing. */
  readonly key: string | undefined;
  readonly kind: Kind;
  /** The answer must know of every message of the kind up to this id. */
  readonly upTo: bigint;
  readonly ask: () => Promise<T>;
}

export interface Answer<T> {
  readonly value: T;
  /** It knows of every message of its kind up to this id, and perhaps of later ones. */
  readonly covers: bigint;
}

export interface SharedReadsParts<T> {
  readonly pool: QueryPool;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Per kind, the newest id that is known to be committed now. */
  readonly headIds: () => PerKind<bigint>;
  /** Milliseconds for which a failed query is tried again. */
  readonly retryMs: number;
  /** Answers are kept as long as all of them together are not larger than this is now. */
  readonly maxBytes: () => number;
  readonly bytesOf: (value: T) => number;
}

/** One query on its way, with all who wait for it. */
interface Flight<T> {
  readonly answer: Promise<Answer<T>>;
  readonly askers: Asker[];
  /** What its answer covers; `undefined` until it has begun: it will cover what is known then. */
  covers: bigint | undefined;
}

/**
 * Reads that many ask for are made once: those in flight are joined, and the latest answers are kept, within a
 * bound of bytes. Messages never change, so an old answer is a right one as far as it reaches.
 */
export class SharedReads<T> {
  readonly #parts: SharedReadsParts<T>;
  readonly #flights = new Map<string, Flight<T>>();
  /** The least recently used first. */
  readonly #kept = new Map<string, Answer<T>>();
  #keptBytes = 0;

  constructor(parts: SharedReadsParts<T>) {
    this.#parts = parts;
  }

  /**
   * The answer to a question, from whoever asked it first.
   * @throws StoreError after retries; Unwanted when all askers were cancelled before its turn came.
   */
  read(question: Question<T>, asker: Asker): Promise<Answer<T>> {
    const { key } = question;
    if (key === undefined) return this.#launch(question, asker).answer;
    const kept = this.#recall(key, question.upTo);
    if (kept !== undefined) return Promise.resolve(kept);
    const flight = this.#flights.get(key);
    if (flight !== undefined && (flight.covers === undefined || flight.covers >= question.upTo)) {
      flight.askers.push(asker);
      return flight.answer;
    }
    const launched = this.#launch(question, asker);
    this.#flights.set(key, launched);
    return launched.answer;
  }

  #launch(question: Question<T>, asker: Asker): Flight<T> {
    const { pool, clock, signal, retryMs } = this.#parts;
    const askers = [asker];
    const turn = () =>
      pool.run(
        () => this.#ask(question, flight),
        () => this.#isWanted(question, flight),
      );
    const answer = Promise.resolve()
      .then(() => persist(turn, { clock, signal, giveUpMs: retryMs }))
      .finally(() => this.#land(question.key, flight));
    const flight: Flight<T> = { answer, askers, covers: undefined };
    return flight;
  }

  async #ask(question: Question<T>, flight: Flight<T>): Promise<Answer<T>> {
    const covers = this.#parts.headIds()[question.kind];
    flight.covers ??= covers;
    const answer = { value: await question.ask(), covers };
    if (question.key !== undefined) this.#keep(question.key, answer);
    return answer;
  }

  /** A flight that nobody wants is taken out in the same turn, so that nobody joins it any more. */
  #isWanted(question: Question<T>, flight: Flight<T>): boolean {
    if (flight.askers.some((asker) => !asker.cancelled)) return true;
    this.#land(question.key, flight);
    return false;
  }

  #land(key: string | undefined, flight: Flight<T>): void {
    if (key !== undefined && this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  #recall(key: string, upTo: bigint): Answer<T> | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined || kept.covers < upTo) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept;
  }

  #keep(key: string, answer: Answer<T>): void {
    this.#forget(key);
    this.#kept.set(key, answer);
    this.#keptBytes += this.#bytes(key, answer);
    const maxBytes = this.#parts.maxBytes();
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= maxBytes) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#keptBytes -= this.#bytes(key, kept);
  }

  #bytes(key: string, answer: Answer<T>): number {
    return key.length + this.#parts.bytesOf(answer.value);
  }
}
