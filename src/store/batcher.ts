/** Collects requests while a batch is being stored, so that the next batch carries them all. */

import type { Clock } from "../base/clock";
import { StoreError } from "./error";
import type { NewMessage } from "./types";

/** How much one thing may hold. */
export interface BatchSize {
  readonly rows: number;
  readonly bytes: number;
}

export interface BatcherLimits {
  /** What one batch carries. A request that is larger goes alone. */
  readonly batch: BatchSize;
  /** What may be held at once, waiting or being stored. A request that is larger is taken when nothing else is held. */
  readonly queue: BatchSize & { readonly requests: number };
  /** How long a request may wait behind batches that fail, in milliseconds. */
  readonly patienceMs: number;
}

/** Batches of a few hundred rows store most per second; the queue is about a second's worth of them. */
export const DEFAULT_BATCHER_LIMITS: BatcherLimits = {
  batch: { rows: 400, bytes: 4 << 20 },
  queue: { rows: 32_768, bytes: 64 << 20, requests: 32_768 },
  patienceMs: 5_000,
};

/**
 * Stores all messages or none, and answers with their ids in the order given.
 * @throws StoreError `refused` when it is for the sake of these very messages.
 */
export type StoreBatch = (messages: readonly NewMessage[]) => Promise<readonly bigint[]>;

/** What one message costs beyond its topic and body: digest, arm, and what the queue needs to hold it. */
const MESSAGE_OVERHEAD_BYTES = 128;

interface Pending {
  readonly messages: readonly NewMessage[];
  readonly bytes: number;
  readonly since: number;
  readonly resolve: (ids: readonly bigint[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One batch at a time, in the order of arrival, as large as what has collected meanwhile: under little load a
 * request goes out at once and alone, under much load the cost of a commit is shared by hundreds.
 *
 * A request is never split over two batches.
 */
export class Batcher {
  readonly #limits: BatcherLimits;
  readonly #clock: Clock;
  readonly #store: StoreBatch;
  readonly #waiting: Pending[] = [];
  readonly #held = { rows: 0, bytes: 0, requests: 0 };
  #running: Promise<void> | undefined;

  constructor(limits: BatcherLimits, clock: Clock, store: StoreBatch) {
    this.#limits = limits;
    this.#clock = clock;
    this.#store = store;
  }

  /**
   * Resolves with the ids of a request's messages, in the order given, once they are stored.
   * @throws StoreError `full` when the queue is; otherwise what `StoreBatch` throws.
   */
  add(messages: readonly NewMessage[]): Promise<readonly bigint[]> {
    let bytes = messages.length * MESSAGE_OVERHEAD_BYTES;
    for (const { topic, body } of messages) bytes += topic.length + body.byteLength;
    const full = this.#fullness(messages.length, bytes);
    if (full !== undefined) return Promise.reject(full);
    const { promise, resolve, reject } = Promise.withResolvers<readonly bigint[]>();
    const request = { messages, bytes, since: this.#clock.now(), resolve, reject };
    this.#hold(request, 1);
    this.#waiting.push(request);
    this.#running ??= this.#run();
    return promise;
  }

  /** Resolves when nothing is held any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    for (;;) {
      // Whoever was just answered, or publishes in this very turn, still gets into the next batch.
      await Promise.resolve();
      if (this.#waiting.length === 0) break;
      await this.#settle(this.#next());
    }
    this.#running = undefined;
  }

  /** Takes the next batch from the front of the queue: at least one request. */
  #next(): readonly Pending[] {
    const { batch } = this.#limits;
    let [rows, bytes, count] = [0, 0, 0];
    for (const request of this.#waiting) {
      rows += request.messages.length;
      bytes += request.bytes;
      if (count > 0 && (rows > batch.rows || bytes > batch.bytes)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** Stores requests together; if the database refuses them, each half for itself, until the culprit is alone. */
  async #settle(requests: readonly Pending[]): Promise<void> {
    try {
      const ids = await this.#store(messagesOf(requests));
      let from = 0;
      for (const request of requests) {
        this.#hold(request, -1);
        request.resolve(ids.slice(from, from + request.messages.length));
        from += request.messages.length;
      }
    } catch (error) {
      if (requests.length > 1 && error instanceof StoreError && error.fault === "refused") {
        const middle = requests.length >> 1;
        await this.#settle(requests.slice(0, middle));
        await this.#settle(requests.slice(middle));
        return;
      }
      this.#reject(requests, error);
      if (error instanceof StoreError && error.fault === "unreachable") this.#rejectImpatient(error);
    }
  }

  /** Ends the wait of those who waited long enough behind batches that failed. */
  #rejectImpatient(error: StoreError): void {
    const cameBefore = this.#clock.now() - this.#limits.patienceMs;
    const patient = this.#waiting.findIndex((request) => request.since > cameBefore);
    this.#reject(this.#waiting.splice(0, patient === -1 ? this.#waiting.length : patient), error);
  }

  #reject(requests: readonly Pending[], error: unknown): void {
    for (const request of requests) {
      this.#hold(request, -1);
      request.reject(error);
    }
  }

  #hold(request: Pending, sign: 1 | -1): void {
    this.#held.rows += sign * request.messages.length;
    this.#held.bytes += sign * request.bytes;
    this.#held.requests += sign;
  }

  /** Why a request of this size cannot be taken now, if it cannot. */
  #fullness(rows: number, bytes: number): StoreError | undefined {
    if (this.#held.requests === 0) return undefined;
    return this.#overfull("requests", 1) ?? this.#overfull("rows", rows) ?? this.#overfull("bytes", bytes);
  }

  #overfull(unit: "requests" | "rows" | "bytes", asked: number): StoreError | undefined {
    const [held, most] = [this.#held[unit], this.#limits.queue[unit]];
    if (held + asked <= most) return undefined;
    const message = `too much waits to be stored: ${held} ${unit} do, ${asked} more were asked for, the limit is ${most}; try again shortly`;
    return new StoreError("full", message);
  }
}

function messagesOf(requests: readonly Pending[]): readonly NewMessage[] {
  const messages: NewMessage[] = [];
  for (const request of requests) for (const message of request.messages) messages.push(message);
  return messages;
}
