import { higher } from "../core/ids";
import { KINDS, type Kind, kindOf, type PerKind, type Topic } from "../core/topic";
import type { TopicIds } from "../store/types";
import { RecentIds } from "./recent-ids";

/**
 * The newest id of each topic, as far as it is kept in memory: what tells that a topic has nothing new.
 *
 * Never too low: it may say that a topic has something new when it has not, never the other way. A topic that
 * is not in it has nothing above the watermark of its kind. Bounded: what leaves raises the watermark, and the
 * topics that were quiet for longest leave first.
 *
 * Of the newest messages it also knows all ids of each topic, so that where a topic goes on need not be asked for.
 */
export class HeadIndex {
  readonly #maxTopics: number;
  /** Of messages that this process has seen, the quietest topic first. Ids above the watermark of then. */
  readonly #seen = new Map<Topic, bigint>();
  /** Of answers of the store, about topics of which nothing has been seen. */
  readonly #learnt = new Map<Topic, bigint>();
  readonly #watermark: [bigint, bigint] = [0n, 0n];
  readonly #recent: PerKind<RecentIds>;
  #generation = 0;

  /**
   * `maxTopics`: of each of the two ways to know a topic, half of this many are kept.
   * `recentIds`: of each kind, how many of the newest messages are known with their topics.
   */
  constructor(maxTopics: number, recentIds: number) {
    this.#maxTopics = Math.max(1, maxTopics >> 1);
    this.#recent = [new RecentIds(recentIds), new RecentIds(recentIds)];
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
    for (const kind of KINDS) this.#recent[kind].startAt(headIds[kind]);
  }

  /**
   * The store was read from `above` to the ids that it started at: these are all topics that have something there,
   * ascending by their newest id. To be called before anything is seen.
   */
  startFrom(kind: Kind, above: bigint, found: Iterable<TopicIds>): void {
    this.#watermark[kind] = above;
    this.#recent[kind].startFrom(above);
    for (const { topic, ids } of found) {
      this.#recent[kind].link(ids);
      this.#note(topic, ids.at(-1) ?? 0n);
    }
  }

  /** A message goes into the tail. Ids of a kind come ascending. Returns an id above which its topic had nothing before. */
  saw(topic: Topic, id: bigint): bigint {
    const kind = kindOf(topic);
    const newest = this.#seen.get(topic);
    const before = newest ?? this.#learnt.get(topic) ?? this.#watermark[kind];
    this.#recent[kind].saw(id, newest ?? 0n);
    this.#note(topic, id);
    return before;
  }

  /** Above this id, all ids of all topics of a kind are known, up to the newest that was seen. */
  idsKnownAbove(kind: Kind): bigint {
    return higher(this.#recent[kind].knownAbove, this.#watermark[kind]);
  }

  /** Adds the ids that a topic has above `above`, which is not below {@link idsKnownAbove}, and up to `upTo`; in no order. */
  collectIds(topic: Topic, above: bigint, upTo: bigint, into: number[]): void {
    const newest = this.#seen.get(topic);
    if (newest !== undefined) this.#recent[kindOf(topic)].collect(newest, above, upTo, into);
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

  #note(topic: Topic, id: bigint): void {
    this.#learnt.delete(topic);
    this.#seen.delete(topic);
    this.#seen.set(topic, id);
    if (this.#seen.size > this.#maxTopics) this.#forgetQuietest();
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
