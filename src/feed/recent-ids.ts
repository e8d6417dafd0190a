/**
 * Which of the newest ids of a kind are of one topic: each knows the one before it, at eight bytes an id.
 *
 * The store counts ids up without holes, so an id stands at its remainder by the number of slots. The slot of a message
 * that has gone is not used: no other leads to it.
 */
export class RecentIds {
  readonly #previous: Float64Array;
  #newest = 0n;
  /** Nothing is known of ids up to here, though there may be room for them. */
  #since = 0n;

  constructor(maxIds: number) {
    this.#previous = new Float64Array(Math.max(1, maxIds));
  }

  /** Every message above this id, as far as any was seen, is known here. */
  get knownAbove(): bigint {
    const oldest = this.#newest - BigInt(this.#previous.length);
    return oldest > this.#since ? oldest : this.#since;
  }

  /** Nothing is known of messages up to this id. */
  startAt(newest: bigint): void {
    this.#newest = newest;
    this.#since = newest;
  }

  /** All messages between `above` and where it started will be told by {@link link}. */
  startFrom(above: bigint): void {
    this.#since = above;
  }

  /** Of a topic, everything it has between where it starts from and where it started: ascending, at least one. */
  link(ids: BigInt64Array): void {
    let previous = 0n;
    for (const id of ids) {
      if (id > this.knownAbove) this.#set(id, previous);
      previous = id;
    }
  }

  /** A message was seen, and which was the one before it of its topic; 0: none that is known here. Ids ascend. */
  saw(id: bigint, previous: bigint): void {
    this.#newest = id;
    this.#set(id, previous);
  }

  /** Adds the ids of a topic above `above` and up to `upTo`, descending. `newest`: its newest; `above`: not below {@link knownAbove}. */
  collect(newest: bigint, above: bigint, upTo: bigint, into: number[]): void {
    const [from, to] = [Number(above), Number(upTo)];
    for (let id = Number(newest); id > from; id = this.#previous[id % this.#previous.length] ?? 0) {
      if (id <= to) into.push(id);
    }
  }

  #set(id: bigint, previous: bigint): void {
    const number = Number(id);
    // A number does not hold it exactly, so nothing is known of it.
    if (number > Number.MAX_SAFE_INTEGER) this.#since = id;
    else this.#previous[number % this.#previous.length] = Number(previous);
  }
}
