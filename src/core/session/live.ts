import { type Frame, LIVE } from "../frame";
import { higher } from "../ids";
import type { Message } from "../message";
import type { Offset } from "../tail";
import { KINDS, kindOf, type PerKind, type Topic } from "../topic";
import type { ReplayId } from "./events";
import { OffsetQueue } from "./offsets";
import { type RowTaker, Scan } from "./scan";
import { Batch, type Shared } from "./shared";

type LiveState =
  /** What is due is in the tail. */
  | { readonly kind: "current" }
  /** Offsets from `from` on were lost; everything due must be read from the store. */
  | { readonly kind: "lagging"; readonly from: Offset }
  /** The store is being read up to a ceiling; what came after it is due, in the tail. `lost`: from where on that too has gaps. */
  | { readonly kind: "healing"; readonly from: Offset; readonly scan: Scan; lost: Offset | undefined };

const CURRENT: LiveState = { kind: "current" };

/**
 * The lane of live deliveries: ascending per kind across all live topics of the stream.
 *
 * It holds integers only, and resolves them when the wire asks for a frame. A reader that lags, so that
 * offsets overflow or leave the tail, is healed: the lane forgets what is due and reads all live topics
 * from the store, up to the tail's head at that tick. Rows up to that ceiling come from the store, messages
 * above it are due as before: the seam of a wave, tagged 0. Slowness costs time, never a message or the stream.
 */
export class LiveLane implements RowTaker {
  readonly #shared: Shared;
  readonly #due: OffsetQueue;
  #state: LiveState = CURRENT;
  /** Per kind, everything of every live topic up to here has been delivered in this lane or in its topic's wave. */
  readonly #passed: [bigint, bigint] = [0n, 0n];

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#due = new OffsetQueue(shared.limits.dueOffsets);
  }

  /** Whether it waits to be healed: {@link heal}. */
  get isLagging(): boolean {
    return this.#state.kind === "lagging";
  }

  get dueOffsets(): number {
    return this.#due.length;
  }

  get rowsInHand(): number {
    return this.#state.kind === "healing" ? this.#state.scan.left : 0;
  }

  /** How many offsets of the tail this lane has yet to pass. */
  get lagOffsets(): number {
    const from = this.#state.kind === "current" ? this.#due.first : this.#state.from;
    return from === undefined ? 0 : this.#shared.tail.head - from + 1;
  }

  /** Whether nothing above these ids has been delivered in this lane, or will be by a healing in progress. */
  isWithin(ceilings: PerKind<bigint>): boolean {
    const highest = this.#state.kind === "healing" ? this.#state.scan.ceilings : this.#passed;
    return KINDS.every((kind) => highest[kind] <= ceilings[kind]);
  }

  /** A message came to the tail, above all others. Whether its topic is still wanted is asked when it is delivered. */
  offer(offset: Offset): void {
    if (!this.#hasGap && this.#due.push(offset)) return;
    this.#shared.counters.rereadOffers++;
    if (!this.#hasGap) this.lose();
  }

  /** Offsets are gone, or will not be kept: what they stood for must be read from the store, if any topic is live. */
  lose(): void {
    const from = this.#due.first ?? this.#shared.tail.head;
    this.#giveUp(this.#due);
    if (this.#state.kind === "current") this.#lag(from);
    else if (this.#state.kind === "healing") this.#state.lost ??= from;
  }

  /**
   * The gate of a wave's topics opened: what the wave still held is due.
   * All of it is above everything this lane has delivered or is being healed up to (see {@link Wave}).
   */
  join(held: OffsetQueue): void {
    if (held.length === 0 || (!this.#hasGap && this.#due.merge(held))) return;
    this.#giveUp(held);
    if (!this.#hasGap) this.lose();
  }

  /** Begins to read what a lagging lane has missed, up to the tail's head at this tick. No wave bounds this lane now. */
  heal(): void {
    if (this.#state.kind !== "lagging") return;
    const { tail, registrations, counters, outbox } = this.#shared;
    const topics: Topic[] = [];
    const floors: bigint[] = [];
    registrations.forEachLive((topic, floor) => {
      topics.push(topic);
      floors.push(higher(floor, this.#passed[kindOf(topic)]));
    });
    this.#giveUp(this.#due);
    if (topics.length === 0) {
      this.#state = CURRENT;
      return;
    }
    const ceilings: PerKind<bigint> = [tail.headIds[0], tail.headIds[1]];
    const scan = new Scan(outbox.nameReplay(), ceilings);
    this.#state = { kind: "healing", from: this.#state.from, scan, lost: undefined };
    counters.replays++;
    counters.heals++;
    outbox.startReplay(scan.replay, { topics, floors, ceilings });
  }

  /** The healing's scan, if it is that replay (I9). */
  scanOf(replay: ReplayId): Scan | undefined {
    return this.#state.kind === "healing" && this.#state.scan.replay === replay ? this.#state.scan : undefined;
  }

  /** The lane's next frame, if it has one; it does not pass `bound`. */
  next(bound: Offset): Frame | undefined {
    const state = this.#state;
    if (state.kind === "lagging") return undefined;
    if (state.kind === "current") return this.#takeDue(bound);
    const frame = this.#takeHealed(state.scan);
    if (frame !== undefined || !state.scan.exhausted) return frame;
    for (const kind of KINDS) this.#passed[kind] = higher(this.#passed[kind], state.scan.ceilings[kind]);
    this.#state = CURRENT;
    if (state.lost !== undefined) this.#lag(state.lost);
    return this.#takeDue(bound);
  }

  /** Nothing is missed, though, by a lane that has no topics: whatever goes live from now on has a floor of its own. */
  #lag(from: Offset): void {
    if (this.#shared.registrations.anyLive) this.#state = { kind: "lagging", from };
  }

  /** What these offsets stand for is read from the store. */
  #giveUp(offsets: OffsetQueue): void {
    this.#shared.counters.rereadOffers += offsets.length;
    offsets.clear();
  }

  get #hasGap(): boolean {
    return this.#state.kind === "lagging" || (this.#state.kind === "healing" && this.#state.lost !== undefined);
  }

  #takeDue(bound: Offset): Frame | undefined {
    let offset = this.#due.first;
    if (offset === undefined || offset > bound) return undefined;
    const batch = new Batch(this.#shared.frameBytes);
    for (; offset !== undefined && offset <= bound; offset = this.#due.first) {
      const message = this.#shared.tail.get(offset);
      if (message === undefined) {
        this.lose();
        break;
      }
      const wanted = this.wants(message);
      if (wanted && !batch.admits(message)) break;
      this.#due.shift();
      if (wanted) this.deliver(message, batch);
      else this.#shared.counters.unwantedOffers++;
    }
    this.#shared.counters.liveMessages += batch.messages.length;
    this.#shared.counters.entryBytes += batch.bytes;
    return batch.frame(LIVE);
  }

  #takeHealed(scan: Scan): Frame | undefined {
    const batch = new Batch(this.#shared.frameBytes);
    this.#shared.counters.unwantedRows += scan.fill(batch, this);
    if (scan.askNext()) this.#shared.outbox.push({ kind: "nextPage", replay: scan.replay });
    this.#shared.counters.healedMessages += batch.messages.length;
    this.#shared.counters.entryBytes += batch.bytes;
    return batch.frame(LIVE);
  }

  /**
   * Asked at the last moment, so that what was queued for a topic removed meanwhile is purged.
   * A topic that is in a wave now was reset or re-added after this message came: the wave's scan covers it.
   */
  wants(message: Message): boolean {
    return this.#shared.registrations.isWantedLive(message);
  }

  deliver(message: Message, batch: Batch): void {
    batch.add(message);
    this.#shared.registrations.raiseLive(message);
    this.#passed[message.kind] = message.id;
  }
}
