import type { Logger } from "../base/log";
import { stackOf } from "../base/thrown";
import type { Offset } from "../core/tail";
import type { Topic } from "../core/topic";
import type { Subscriber } from "./types";

/** A subscriber's place in the hub. */
interface Seat {
  readonly subscriber: Subscriber;
  /** How many topics it watches. */
  topics: number;
  /** What it is to be told at the end of this tick; `undefined` while that is nothing. */
  due: Offset[] | undefined;
  /** It threw: it is offered nothing any more. */
  broken: boolean;
}

/** Lists of offsets that are kept for the next tick: this many, each no longer than `SPARE_OFFSETS`. */
const SPARE_LISTS = 1_024;
const SPARE_OFFSETS = 1_024;

/**
 * Knows who watches which topic, and hands each watcher the offsets of a tick in one call.
 *
 * Lean where there is much: a topic with a single watcher costs one map entry, a delivery one number in a list
 * that is used again.
 */
export class Hub {
  readonly #log: Logger;
  readonly #seats = new Map<Subscriber, Seat>();
  readonly #watchers = new Map<Topic, Seat | Set<Seat>>();
  /** Seats with something due, in the order in which they were first offered something. */
  readonly #dueSeats: Seat[] = [];
  readonly #spare: Offset[][] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  /** How many topics are watched by anybody. */
  get topics(): number {
    return this.#watchers.size;
  }

  /** How many subscribers watch anything. */
  get subscribers(): number {
    return this.#seats.size;
  }

  /** Messages of these topics are offered from the next tick on. What is watched already stays as it is. */
  watch(subscriber: Subscriber, topics: readonly Topic[]): void {
    if (topics.length === 0) return;
    let seat = this.#seats.get(subscriber);
    if (seat === undefined) {
      seat = { subscriber, topics: 0, due: undefined, broken: false };
      this.#seats.set(subscriber, seat);
    }
    for (const topic of topics) this.#add(seat, topic);
  }

  /** Nothing of these topics is offered any more. What is not watched stays so. */
  unwatch(subscriber: Subscriber, topics: readonly Topic[]): void {
    const seat = this.#seats.get(subscriber);
    if (seat === undefined) return;
    for (const topic of topics) this.#remove(seat, topic);
    if (seat.topics === 0) this.#seats.delete(subscriber);
  }

  /** Notes a message for whoever watches its topic; it is handed over by `flush`. Offsets ascend. */
  offer(topic: Topic, offset: Offset): void {
    const watchers = this.#watchers.get(topic);
    if (watchers === undefined) return;
    if (watchers instanceof Set) for (const seat of watchers) this.#note(seat, offset);
    else this.#note(watchers, offset);
  }

  /** Ends a tick: each subscriber is called once with all it has been offered. One that throws harms itself only. */
  flush(): void {
    for (const seat of this.#dueSeats) {
      const due = seat.due;
      if (due === undefined) continue;
      seat.due = undefined;
      if (seat.topics > 0 && !seat.broken) this.#hand(seat, due);
      if (due.length > SPARE_OFFSETS || this.#spare.length >= SPARE_LISTS) continue;
      due.length = 0;
      this.#spare.push(due);
    }
    this.#dueSeats.length = 0;
  }

  #hand(seat: Seat, due: readonly Offset[]): void {
    try {
      seat.subscriber.offers(due);
    } catch (error) {
      seat.broken = true;
      this.#log.error("subscriber dropped", { topics: seat.topics, error: `${error}`, stack: stackOf(error) });
    }
  }

  #note(seat: Seat, offset: Offset): void {
    if (seat.broken) return;
    if (seat.due === undefined) {
      seat.due = this.#spare.pop() ?? [];
      this.#dueSeats.push(seat);
    }
    seat.due.push(offset);
  }

  #add(seat: Seat, topic: Topic): void {
    const watchers = this.#watchers.get(topic);
    if (watchers === seat) return;
    if (watchers instanceof Set) {
      if (watchers.has(seat)) return;
      watchers.add(seat);
    } else {
      this.#watchers.set(topic, watchers === undefined ? seat : new Set([watchers, seat]));
    }
    seat.topics += 1;
  }

  #remove(seat: Seat, topic: Topic): void {
    const watchers = this.#watchers.get(topic);
    if (watchers === seat) this.#watchers.delete(topic);
    else if (!(watchers instanceof Set) || !watchers.delete(seat)) return;
    else if (watchers.size === 1) for (const last of watchers) this.#watchers.set(topic, last);
    seat.topics -= 1;
  }
}
