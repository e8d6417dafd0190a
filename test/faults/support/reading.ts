/** What one reader was given, held against the rules as it arrives. */

import type { DeliveredMessage, Lane, Topic } from "../../../src/client";
import { Column, Durations } from "./column";
import type { Ledger } from "./ledger";

const MAX_FAULTS = 20;

export class Reading {
  readonly name: string;
  readonly topics: ReadonlySet<Topic>;
  /** What was against the rules, in words; the first few. */
  readonly faults: string[] = [];
  /** From the publisher's call to the arrival; what came as history has none. */
  readonly arrivals = new Durations();
  readonly #ledger: Ledger;
  /** Ids by the numbers of the messages; 0: not received. */
  readonly #idOf = new Column();
  readonly #lastOfTopic = new Map<Topic, bigint>();

  constructor(name: string, topics: Iterable<Topic>, ledger: Ledger) {
    this.name = name;
    this.topics = new Set(topics);
    this.#ledger = ledger;
  }

  /** Messages received so far. */
  get received(): number {
    return this.arrivals.length;
  }

  /** The id by which message number `n` came; 0 if it did not. */
  idOf(n: number): number {
    return this.#idOf.at(n);
  }

  /** Of all messages received, ascending. */
  get ids(): readonly number[] {
    return Array.from({ length: this.#idOf.length }, (_, n) => this.idOf(n))
      .filter((id) => id !== 0)
      .sort((a, b) => a - b);
  }

  take(lane: Lane, messages: readonly DeliveredMessage[]): void {
    const now = performance.now();
    for (const message of messages) this.#takeOne(lane, message, now);
  }

  fault(words: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push(`${this.name}: ${words}`);
  }

  #takeOne(lane: Lane, message: DeliveredMessage, now: number): void {
    const { id, topic } = message;
    if (!this.topics.has(topic)) this.fault(`id ${id} is of a topic that was not asked for`);
    const n = this.#ledger.numberOf(message);
    if (n === undefined) {
      this.fault(`id ${id} was never published to its topic`);
      return;
    }
    if (this.#idOf.at(n) !== 0) this.fault(`message ${n} came twice, as id ${this.#idOf.at(n)} and as ${id}`);
    const before = this.#lastOfTopic.get(topic) ?? 0n;
    if (id <= before) this.fault(`id ${id} came after ${before} of the same topic`);
    this.#lastOfTopic.set(topic, id);
    this.#idOf.set(n, Number(id));
    if (lane === 0n) this.arrivals.add(now, now - this.#ledger.sentAt(n));
    else this.arrivals.add(now);
  }
}
