import { type Add, type Lane, LIVE, type Mutate } from "../frame";
import { higher } from "../ids";
import { kindOf, type Topic } from "../topic";
import type { Ascending, Positioned, Want } from "./events";

/** How a client keeps its Mutates small (C-4), and well below the limits of a node. */
export interface MutateLimits {
  /** Adds and removes of one Mutate. */
  readonly topics: number;
  /** Size of one encoded Mutate, at most; a single topic always fits. */
  readonly bytes: number;
  /** Waves in flight; further adds wait for one of them to complete. */
  readonly waves: number;
}

export const DEFAULT_MUTATE_LIMITS: MutateLimits = { topics: 1_000, bytes: 16 * 1024 ** 2, waves: 128 };

/** Tags, lengths and the widest cursor that an encoded topic brings along, in bytes, rounded up. */
const OVERHEAD_BYTES = 32;

interface Entry {
  /** The cursor it was asked for with. */
  from: bigint;
  /** Nothing at or below is delivered (again). Rises with every delivery. */
  floor: bigint;
  /** The lane its messages come on: its wave until that is complete, then live; `undefined`: not yet asked of this stream. */
  lane: Lane | undefined;
  /** Of a bounded sync: its history is complete, and no stream need be asked for it any more. */
  done: boolean;
}

interface Wave {
  readonly topics: readonly Topic[];
  /** Per kind, the highest id seen on the wave's lane. */
  readonly progress: [bigint, bigint];
}

/**
 * The topics a consumer wants, and for each how far it has got: what a new stream must be asked for, and
 * what of the things it delivers is new.
 *
 * A resume cursor is the highest of three (C-3): the topic's own floor; the live high-water mark of its
 * kind, because the live lane ascends across all live topics; the progress of its wave, because that
 * ascends across all topics of the wave. So a quiet topic costs the server nothing after a reconnect.
 * On a stream that ascends only within each topic, the topic's own floor is all there is to go by.
 */
export class Wanted {
  readonly #limits: MutateLimits;
  /** Every add is history_only: a topic whose wave is complete is done with. */
  readonly #historyOnly: boolean;
  readonly #entries = new Map<Topic, Entry>();
  /** To be asked of this stream, in the order in which they were wanted. */
  readonly #unsent = new Set<Topic>();
  /** This stream delivers them, and is to stop. Sent before or with any add of the same topic. */
  readonly #removes = new Set<Topic>();
  readonly #waves = new Map<Lane, Wave>();
  /** Per kind, the highest id seen on this stream's live lane. */
  #live: [bigint, bigint] = [0n, 0n];
  #ascending: Ascending = "kind";
  #nextId = 1n;

  constructor(historyOnly: boolean, limits: MutateLimits = DEFAULT_MUTATE_LIMITS) {
    this.#historyOnly = historyOnly;
    this.#limits = limits;
  }

  /** Whether this stream has been asked for everything and has completed every wave. */
  get settled(): boolean {
    return this.#unsent.size === 0 && this.#removes.size === 0 && this.#waves.size === 0;
  }

  /** A stream has begun. */
  started(ascending: Ascending): void {
    this.#ascending = ascending;
  }

  /** A topic already wanted from there or below is left alone: asking again would be a replay. */
  add({ topic, cursor }: Want): void {
    const entry = this.#entries.get(topic);
    if (entry !== undefined && cursor >= entry.from) return;
    if (entry !== undefined) this.remove(topic);
    this.#entries.set(topic, { from: cursor, floor: cursor, lane: undefined, done: false });
    this.#unsent.add(topic);
  }

  remove(topic: Topic): void {
    const entry = this.#entries.get(topic);
    if (entry === undefined) return;
    if (entry.lane !== undefined) this.#removes.add(topic);
    this.#entries.delete(topic);
    this.#unsent.delete(topic);
  }

  /** Where a new stream would have to begin; `undefined` for a topic that is not wanted. */
  cursorOf(topic: Topic): bigint | undefined {
    const entry = this.#entries.get(topic);
    return entry === undefined ? undefined : this.#resumeCursor(topic, entry);
  }

  /** Every wanted topic with its resume cursor. */
  *cursors(): Generator<Want> {
    for (const [topic, entry] of this.#entries) yield { topic, cursor: this.#resumeCursor(topic, entry) };
  }

  /** The next Mutate to send; `undefined` when there is nothing to ask for, or enough is being asked already. Ids are never used twice. */
  nextMutate(): Mutate | undefined {
    const limits = this.#limits;
    let topics = 0;
    let bytes = 0;
    const fits = (topic: Topic): boolean => {
      bytes += topic.length + OVERHEAD_BYTES;
      topics++;
      return topics === 1 || (topics <= limits.topics && bytes <= limits.bytes);
    };
    // A remove that no longer fits leaves no room for an add either: none overtakes the remove of its topic.
    const removes = takeWhile(this.#removes, fits);
    const added = this.#waves.size < limits.waves ? takeWhile(this.#unsent, fits) : [];
    if (removes.length + added.length === 0) return undefined;
    const id = this.#nextId++;
    const adds = added.flatMap((topic) => this.#joinWave(topic, id));
    if (adds.length > 0) this.#waves.set(id, { topics: added, progress: [0n, 0n] });
    return { id, adds, removes, historyOnly: this.#historyOnly && adds.length > 0 };
  }

  /**
   * Of the messages of a frame those that the consumer is to get: of topics it wants, on the lane that
   * carries them now, above what it had. Whatever else comes was on its way before a remove or a reset.
   */
  accept<M extends Positioned>(lane: Lane, messages: readonly M[]): readonly M[] {
    const progress = lane === LIVE ? this.#live : this.#waves.get(lane)?.progress;
    if (progress === undefined) return [];
    return messages.filter(({ kind, id, topic }) => {
      if (this.#ascending === "kind" && id > progress[kind]) progress[kind] = id;
      const entry = this.#entries.get(topic);
      if (entry === undefined || entry.lane !== lane || id <= entry.floor) return false;
      entry.floor = id;
      return true;
    });
  }

  /** Of the topics of a TopicsLive those that are still wanted. */
  stillWanted(topics: readonly Topic[]): readonly Topic[] {
    return topics.filter((topic) => this.#entries.get(topic)?.lane !== undefined);
  }

  /** A CatchupComplete came. Returns the topics whose history it completes; `undefined` if it completes no wave. */
  complete(mutateId: bigint): readonly Topic[] | undefined {
    const wave = this.#waves.get(mutateId);
    if (wave === undefined) return undefined;
    const topics = wave.topics.filter((topic) => this.#entries.get(topic)?.lane === mutateId);
    for (const topic of topics) this.#leaveWave(topic, wave);
    this.#waves.delete(mutateId);
    return topics;
  }

  /** The stream is gone: the next one has to be asked for everything, from where each topic has got to. */
  interrupted(): void {
    for (const [topic, entry] of this.#entries) {
      if (entry.done) continue;
      entry.floor = this.#resumeCursor(topic, entry);
      entry.lane = undefined;
      this.#unsent.add(topic);
    }
    this.#removes.clear();
    this.#waves.clear();
    this.#live = [0n, 0n];
  }

  #joinWave(topic: Topic, id: bigint): Add[] {
    const entry = this.#entries.get(topic);
    if (entry === undefined) return [];
    entry.lane = id;
    return [{ topic, cursor: entry.floor }];
  }

  #leaveWave(topic: Topic, wave: Wave): void {
    const entry = this.#entries.get(topic);
    if (entry === undefined) return;
    entry.floor = higher(entry.floor, wave.progress[kindOf(topic)]);
    entry.done = this.#historyOnly;
    entry.lane = entry.done ? undefined : LIVE;
  }

  #resumeCursor(topic: Topic, entry: Entry): bigint {
    if (entry.lane === undefined) return entry.floor;
    const progress = entry.lane === LIVE ? this.#live : this.#waves.get(entry.lane)?.progress;
    return higher(entry.floor, progress?.[kindOf(topic)] ?? 0n);
  }
}

/** Takes topics out of a set, in its order, as long as they fit. */
function takeWhile(set: Set<Topic>, fits: (topic: Topic) => boolean): Topic[] {
  const taken: Topic[] = [];
  for (const topic of set) {
    if (!fits(topic)) break;
    taken.push(topic);
    set.delete(topic);
  }
  return taken;
}
