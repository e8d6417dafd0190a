import { type Kind, kindOf, type PerKind, type Topic } from "../core/topic";
import type { TopicHead } from "../store/types";

/**
 * The newest id of each topic, as far as it is kept in memory: what tells that a topic has nothing new.
 *
 * Never too low: it may say that a topic has something new when it has not, never the other way. A topic that
 * is not in it has nothing above the watermark of its kind. Bounded: what leaves raises the watermark, and the
 * topics that were quiet for longest leave first.
 */
export class HeadIndex {
  readonly #maxTopics: number;
  /** Of messages that this process has seen, the quietest topic first. Ids above the watermark of then. */
  readonly #seen = new Map<Topic, bigint>();
  /** Of answers of the store, about topics of which nothing has been seen. */
  readonly #learnt = new Map<Topic, bigint>();
  readonly #watermark: [bigint, bigint] = [0n, 0n];
  #generation = 0;

  /** `maxTopics`: of each of the two ways to know a topic, half of this many are kept. */
  constructor(maxTopics: number) {
    this.#maxTopics = Math.max(1, maxTopics >> 1);
  }

  /** How many topics it knows. */
  get topics(): number {
    return this.#seen.size + this.#learnt.size;
  }

  /** Changes when a topic of which something was seen has been forgotten: an answer asked for before may be too old to learn. */
  get generation(): number {
    return this.#generation;
  }

  /** Nothing is known of messages up to these ids. */
  startAt(headIds: PerKind<bigint>): void {
    [this.#watermark[0], this.#watermark[1]] = headIds;
  }

  /**
   * The store was read from `above` to the ids that it started at: these are all topics that have something there,
   * each with its newest id, ascending by that. To be called before anything is seen.
   */
  startFrom(kind: Kind, above: bigint, newest: Iterable<TopicHead>): void {
    this.#watermark[kind] = above;
    for (const { topic, id } of newest) this.saw(topic, id);
  }

  /** A message went into the tail. Ids of a kind come ascending. */
  saw(topic: Topic, id: bigint): void {
    this.#learnt.delete(topic);
    this.#seen.delete(topic);
    this.#seen.set(topic, id);
    if (this.#seen.size > this.#maxTopics) this.#forgetQuietest();
  }

  /**
   * The store says what is newest (0 = nothing).
   * `generation`: what it was before the store was asked; an answer from before something was forgotten is not kept.
   */
  learn(topic: Topic, id: bigint, generation: number): void {
    if (generation !== this.#generation || this.#seen.has(topic)) return;
    this.#learnt.set(topic, id);
    if (this.#learnt.size > this.#maxTopics) this.#forgetOldestAnswer();
  }

  /**
   * The store was read up to `upTo`, and of a topic nothing above `id` was there. `generation`: what it was before.
   * Nothing is learnt if messages beyond what was read may have been seen and forgotten.
   */
  learnRead(topic: Topic, id: bigint, read: { readonly upTo: bigint; readonly generation: number }): void {
    if (read.upTo >= this.#watermark[kindOf(topic)]) this.learn(topic, id, read.generation);
  }

  /** The newest id of a topic, or one above it; `undefined` = unknown, and not above the watermark. */
  get(topic: Topic): bigint | undefined {
    return this.#seen.get(topic) ?? this.#learnt.get(topic);
  }

  /** Whether a topic has nothing above `floor`; `undefined`: only the store knows. */
  isCurrent(topic: Topic, floor: bigint): boolean | undefined {
    const head = this.get(topic);
    if (head !== undefined) return head <= floor;
    return floor >= this.#watermark[kindOf(topic)] ? true : undefined;
  }

  #forgetOldestAnswer(): void {
    for (const topic of this.#learnt.keys()) {
      this.#learnt.delete(topic);
      return;
    }
  }

  #forgetQuietest(): void {
    for (const [topic, id] of this.#seen) {
      this.#seen.delete(topic);
      const kind = kindOf(topic);
      if (id > this.#watermark[kind]) this.#watermark[kind] = id;
      this.#generation += 1;
      return;
    }
  }
}
