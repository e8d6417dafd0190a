import type { Message } from "../core/message";
import type { Topic } from "../core/topic";
import type { HeadIndex } from "./head-index";
import type { Wanted } from "./scan-reads";

/** A topic of a scan, while rows of all topics are read. */
interface Entry {
  readonly floor: bigint;
  /** The newest message that was picked. */
  newest: bigint;
}

/** Picks what a scan wants out of rows of all topics, and learns the heads of its topics by the way. */
export class Sweep {
  readonly #heads: HeadIndex;
  readonly #ceiling: bigint;
  #entries: ReadonlyMap<Topic, Entry> | undefined;
  /** Where the range begins that has been read without a break; `undefined` if none has. */
  #from: bigint | undefined;
  /** Of the head index, then. */
  #generation = 0;

  /** `ceiling`: nothing above it is wanted. */
  constructor(heads: HeadIndex, ceiling: bigint) {
    this.#heads = heads;
    this.#ceiling = ceiling;
  }

  /** To be called before the rows above `from` are read. */
  begin(from: bigint): void {
    if (this.#from !== undefined) return;
    this.#from = from;
    this.#generation = this.#heads.generation;
  }

  /** What is read next is not by ranges: what is learnt begins anew after it. */
  interrupt(): void {
    this.#from = undefined;
  }

  /** Those that are wanted. `wanted`: the topics, which may become fewer from call to call, but never more. */
  pick(messages: readonly Message[], wanted: readonly Wanted[]): readonly Message[] {
    this.#entries ??= new Map(wanted.map(({ topic, floor }) => [topic, { floor, newest: 0n }]));
    const entries = this.#entries;
    return messages.filter(({ id, topic }) => {
      const entry = entries.get(topic);
      if (entry === undefined || id <= entry.floor || id > this.#ceiling) return false;
      entry.newest = id;
      return true;
    });
  }

  /** The range was read up to the ceiling: the heads of its topics are known without having been asked for. */
  learn(wanted: readonly Wanted[]): void {
    const from = this.#from;
    if (from === undefined) return;
    const read = { upTo: this.#ceiling, generation: this.#generation };
    for (const { topic, floor } of wanted) {
      const newest = this.#entries?.get(topic)?.newest ?? 0n;
      if (newest > from) this.#heads.learnRead(topic, newest, read);
      else if (floor >= from) this.#heads.learnRead(topic, floor, read);
    }
  }
}
