import type { Message } from "../message";
import type { PerKind } from "../topic";
import type { ReplayId } from "./events";
import type { Batch } from "./shared";

/** A lane whose frames rows go into. */
export interface RowTaker {
  /** Asked at the last moment, so that what was read for a topic removed meanwhile is purged. */
  wants(message: Message): boolean;
  deliver(message: Message, batch: Batch): void;
}

/**
 * One replay in progress and the one page of it that is in hand.
 *
 * At most one page is outstanding: the next is asked for when the last message of this one was taken.
 */
export class Scan {
  readonly replay: ReplayId;
  /** Per kind, the highest id the replay reads. */
  readonly ceilings: PerKind<bigint>;
  #page: readonly Message[] = [];
  #at = 0;
  #state: "awaiting" | "inHand" | "last" = "awaiting";

  constructor(replay: ReplayId, ceilings: PerKind<bigint>) {
    this.replay = replay;
    this.ceilings = ceilings;
  }

  /**
   * Takes a page in hand; returns how many rows of it. One that comes after the last changes nothing (I9).
   * @throws Error if the page before it is not used up: that is a fault of the feed, and rows would be lost.
   */
  accept(messages: readonly Message[], done: boolean): number {
    if (this.#state === "last") return 0;
    if (this.#state === "inHand") {
      throw new Error(`replay ${this.replay}: wanted no page before the last one was used up, got another`);
    }
    this.#page = messages;
    this.#at = 0;
    this.#state = done ? "last" : "inHand";
    return messages.length;
  }

  /** Rows in hand that have not been taken. */
  get left(): number {
    return this.#page.length - this.#at;
  }

  /** Takes rows into a frame for as long as they fit. Returns how many were passed over, because nobody wants them. */
  fill(batch: Batch, lane: RowTaker): number {
    let unwanted = 0;
    for (let message = this.#first; message !== undefined; message = this.#first) {
      const wanted = lane.wants(message);
      if (wanted && !batch.admits(message)) break;
      this.#shift();
      if (wanted) lane.deliver(message, batch);
      else unwanted++;
    }
    return unwanted;
  }

  /** Whether the feed may still have pages of it. */
  get isOpen(): boolean {
    return this.#state !== "last";
  }

  /** Whether every row there is has been taken. */
  get exhausted(): boolean {
    return this.#state === "last" && this.#first === undefined;
  }

  /** True once for each page that is used up while more are to come: the caller asks for the next one. */
  askNext(): boolean {
    if (this.#state !== "inHand" || this.#first !== undefined) return false;
    this.#state = "awaiting";
    return true;
  }

  get #first(): Message | undefined {
    return this.#page[this.#at];
  }

  #shift(): void {
    this.#at++;
    if (this.#at < this.#page.length) return;
    this.#page = [];
    this.#at = 0;
  }
}
