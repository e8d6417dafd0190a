import type { Message } from "./message";
import { type PerKind, type Topic, withKind } from "./topic";

/**
 * Where a message stands in this process's tail: 1, 2, 3 … in the order in which messages were appended.
 * Offsets are local to the process and never leave it. Per kind, a higher offset is a higher id.
 */
export type Offset = number;

/** What a session may ask of the tail. */
export interface TailView {
  /** Offset of the newest message ever appended; 0 before the first. */
  readonly head: Offset;
  /** The message at an offset, or `undefined` if it has left the tail (or never was). */
  get(offset: Offset): Message | undefined;
  /** Per kind, the newest id this process has seen: everything up to it is either in the store or in the tail. */
  readonly headIds: PerKind<bigint>;
}

export interface TailOptions {
  /** Messages kept at most; at least 1. */
  readonly maxRows: number;
  /** Bytes of entries kept at most. The newest message is kept even if it alone is larger. */
  readonly maxBytes: number;
}

/**
 * The newest messages of this process, bounded by number and bytes: the oldest leave first.
 *
 * Each message also knows the one before it of the same topic, so that what a topic has in the tail is found
 * without looking at anything else.
 */
export class Tail implements TailView {
  readonly #maxRows: number;
  readonly #maxBytes: number;
  /** A ring: an offset stands at its remainder by the number of slots. */
  readonly #slots: (Message | undefined)[] = [];
  readonly #previous: Float64Array;
  readonly #nothingAbove: BigInt64Array;
  readonly #newest = new Map<Topic, Offset>();
  #head: Offset = 0;
  #rows = 0;
  #bytes = 0;
  #headIds: PerKind<bigint> = [0n, 0n];
  #keptAbove: PerKind<bigint> = [0n, 0n];

  /** @throws RangeError if there is room for no message at all. */
  constructor(options: TailOptions) {
    if (options.maxRows < 1) throw new RangeError(`a tail needs room for at least 1 message; got ${options.maxRows}`);
    this.#maxRows = options.maxRows;
    this.#maxBytes = options.maxBytes;
    this.#previous = new Float64Array(options.maxRows);
    this.#nothingAbove = new BigInt64Array(options.maxRows);
  }

  get head(): Offset {
    return this.#head;
  }

  get headIds(): PerKind<bigint> {
    return this.#headIds;
  }

  /** Per kind, an id: whatever is above it and not above the head is in the tail. */
  get keptAbove(): PerKind<bigint> {
    return this.#keptAbove;
  }

  /** How many messages are kept. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes of the entries that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Begins above these ids, which are in the store already.
   * @throws RangeError once there is a message in the tail.
   */
  startAt(headIds: PerKind<bigint>): void {
    if (this.#head > 0) throw new RangeError("a tail that holds messages cannot start anew");
    this.#headIds = headIds;
    this.#keptAbove = headIds;
  }

  /**
   * Takes the next message of its kind and gives its offset. Whatever there is no longer room for leaves.
   * @param nothingAbove an id between which and this one the topic has no message: the one just below unless more is known.
   * @throws RangeError if its id is not above the kind's head (I2, I3).
   */
  append(message: Message, nothingAbove: bigint = message.id - 1n): Offset {
    const headId = this.#headIds[message.kind];
    if (message.id <= headId) {
      throw new RangeError(`ids must ascend: kind ${message.kind} stands at ${headId}, got ${message.id}`);
    }
    const bytes = message.entry.byteLength;
    while (this.#rows > 0 && (this.#rows >= this.#maxRows || this.#bytes + bytes > this.#maxBytes)) this.#evict();
    const offset = this.#head + 1;
    const slot = offset % this.#maxRows;
    this.#slots[slot] = message;
    this.#previous[slot] = this.#newest.get(message.topic) ?? 0;
    this.#nothingAbove[slot] = nothingAbove;
    this.#newest.set(message.topic, offset);
    this.#head = offset;
    this.#headIds = withKind(this.#headIds, message.kind, message.id);
    this.#rows += 1;
    this.#bytes += bytes;
    return offset;
  }

  get(offset: Offset): Message | undefined {
    return this.#holds(offset) ? this.#slots[offset % this.#maxRows] : undefined;
  }

  /** Offset of the newest message of a topic that is in the tail; 0 if there is none. */
  newestOf(topic: Topic): Offset {
    return this.#newest.get(topic) ?? 0;
  }

  /** Offset of the message before this one of the same topic; 0 if that has left the tail or never was. */
  previousOf(offset: Offset): Offset {
    const previous = this.#holds(offset) ? (this.#previous[offset % this.#maxRows] ?? 0) : 0;
    return this.#holds(previous) ? previous : 0;
  }

  /** Adds the offsets that a topic has in the tail, of messages above an id and up to another, newest first. */
  collectOffsets(topic: Topic, above: bigint, upTo: bigint, into: Offset[]): void {
    for (let offset = this.newestOf(topic); offset !== 0; offset = this.previousOf(offset)) {
      const message = this.get(offset);
      if (message === undefined || message.id <= above) return;
      if (message.id <= upTo) into.push(offset);
    }
  }

  /** An id between which and the message at this offset its topic has none, as far as is known; 0 if that has left the tail. */
  nothingAbove(offset: Offset): bigint {
    return this.#holds(offset) ? (this.#nothingAbove[offset % this.#maxRows] ?? 0n) : 0n;
  }

  #holds(offset: Offset): boolean {
    return offset <= this.#head && offset > this.#head - this.#rows;
  }

  #evict(): void {
    const offset = this.#head - this.#rows + 1;
    const slot = offset % this.#maxRows;
    const message = this.#slots[slot];
    this.#slots[slot] = undefined;
    this.#rows -= 1;
    if (message === undefined) return;
    this.#bytes -= message.entry.byteLength;
    this.#keptAbove = withKind(this.#keptAbove, message.kind, message.id);
    if (this.#newest.get(message.topic) === offset) this.#newest.delete(message.topic);
  }
}
