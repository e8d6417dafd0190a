/** Collects requests while others are being stored, so that the next batch carries them all. */

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
  /** How many rows must wait for a batch to be sent behind one that is still being stored. */
  readonly aheadRows: number;
  /** What may be held at once, waiting or being stored. A request that is larger is taken when nothing else is held. */
  readonly queue: BatchSize & { readonly requests: number };
  /** How long a request may wait behind batches that fail, in milliseconds. */
  readonly patienceMs: number;
}

/** Batches of a few hundred rows store most per second; the queue is about a second's worth of them. */
export const DEFAULT_BATCHER_LIMITS: BatcherLimits = {
  batch: { rows: 400, bytes: 4 << 20 },
  aheadRows: 48,
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

/** Batches being stored at once: the database has the next at hand when it is done with one. */
const MAX_IN_FLIGHT = 2;

/**
 * Batches in the order of arrival, each as large as what has collected meanwhile: under little load a request goes
 * out at once and alone, under much load the cost of a commit is shared by hundreds.
 *
 * While a batch is being stored, the next is sent behind it if it is worth a commit of its own, so that the database
 * need not wait until this process has heard of the one and written the other.
 * A request is never split over two batches.
 */
export class Batcher {
  readonly #limits: BatcherLimits;
  readonly #clock: Clock;
  readonly #store: StoreBatch;
  readonly #waiting: Pending[] = [];
  #waitingRows = 0;
  readonly #held = { rows: 0, bytes: 0, requests: 0 };
  readonly #inFlight = new Set<Promise<void>>();
  #isWoken = false;

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
    this.#waitingRows += messages.length;
    this.#wake();
    return promise;
  }

  /** Resolves when nothing is held any more. */
  async idle(): Promise<void> {
    while (this.#held.requests > 0) await Promise.all(this.#inFlight);
  }

  /** Sends what may go. Whoever was just answered, or publishes in this very turn, still gets into it. */
  #wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    queueMicrotask(() => {
      this.#isWoken = false;
      while (this.#mayGo()) this.#send(this.#next());
    });
  }

  #mayGo(): boolean {
    if (this.#waiting.length === 0) return false;
    if (this.#inFlight.size === 0) return true;
    return this.#inFlight.size < MAX_IN_FLIGHT && this.#waitingRows >= this.#limits.aheadRows;
  }

  #send(requests: readonly Pending[]): void {
    const settled = this.#settle(requests).then(() => {
      this.#inFlight.delete(settled);
      this.#wake();
    });
    this.#inFlight.add(settled);
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
    return this.#take(count);
  }

  #take(count: number): readonly Pending[] {
    const taken = this.#waiting.splice(0, count);
    for (const { messages } of taken) this.#waitingRows -= messages.length;
    return taken;
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
    this.#reject(this.#take(patient === -1 ? this.#waiting.length : patient), error);
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
