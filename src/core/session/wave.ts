import type { Frame } from "../frame";
import { higher } from "../ids";
import type { Message } from "../message";
import type { Offset } from "../tail";
import { KINDS, kindOf, type PerKind, type Topic } from "../topic";
import type { ReplayId } from "./events";
import type { LiveLane } from "./live";
import { OffsetQueue } from "./offsets";
import { type RowTaker, Scan } from "./scan";
import { Batch, type Shared } from "./shared";

/** From this scan on, a wave that keeps losing what it holds makes the live lane wait at its ceiling, so that it ends. */
const INSISTENT_SCAN = 3;

/** What a topic takes in a frame beyond its own bytes: field tag and length, rounded up. */
const TOPIC_OVERHEAD_BYTES = 4;

/** Rows up to the ceiling come from the store. With a `bound`, live messages above that offset wait. */
interface ScanningState {
  readonly kind: "scanning";
  readonly scan: Scan;
  readonly bound: Offset | undefined;
}

type WaveState =
  /** history_only: the ceiling is pinned when the look at the store is done. */
  | { readonly kind: "pinning"; readonly replay: ReplayId }
  | ScanningState
  /** What arrived meanwhile is delivered in this lane up to `bound`; live messages above it wait. */
  | { readonly kind: "folding"; readonly bound: Offset }
  /** TopicsLive is on its way, from the topic at index `next` on; then CatchupComplete. */
  | { readonly kind: "announced"; next: number };

export interface WaveOptions {
  readonly mutateId: bigint;
  readonly historyOnly: boolean;
  readonly topics: readonly Topic[];
}

/**
 * The catch-up of the topics of one Mutate, in a lane of its own.
 *
 * The seam rests on one fact: offsets grow with time. A wave reads the store up to a ceiling, the tail's
 * head at that tick, and holds the offsets that come after. When the scan is done, the head of THAT tick is
 * its bound: held offsets up to the bound are folded, and the live lane does not pass the bound before
 * CatchupComplete was taken. So whatever is still held then is above everything the live lane has delivered,
 * and joins it in order.
 *
 * When offsets were lost (too many, or gone from the tail) the wave reads the store again, up to a new ceiling;
 * or, if the live lane has passed nothing above the old one, ends there and leaves the rest to the live lane's healing.
 */
export class Wave implements RowTaker {
  readonly mutateId: bigint;
  readonly historyOnly: boolean;
  readonly #shared: Shared;
  readonly #topics: readonly Topic[];
  readonly #held: OffsetQueue;
  /** How many of its topics are still in it. */
  #remaining: number;
  #state: WaveState;
  /** Offsets that came for this wave are missing from `held`. */
  #lost = false;
  #scans = 0;
  /** Per kind, everything up to here has been delivered. */
  readonly #passed: [bigint, bigint] = [0n, 0n];

  constructor(options: WaveOptions, shared: Shared) {
    this.mutateId = options.mutateId;
    this.historyOnly = options.historyOnly;
    this.#topics = options.topics;
    this.#remaining = options.topics.length;
    this.#shared = shared;
    this.#held = new OffsetQueue(shared.limits.dueOffsets);
    this.#state = { kind: "pinning", replay: shared.outbox.nameReplay() };
  }

  /** Begins to read: at once, or for history_only after a fresh look at the store. The topics are registered by now. */
  begin(): void {
    if (this.#state.kind !== "pinning") throw new Error("a wave begins once");
    const { replay } = this.#state;
    if (this.historyOnly) this.#shared.outbox.push({ kind: "look", replay });
    else this.#scan(replay, undefined);
  }

  /** Whether its last frames are on their way; nothing else is delivered in between. */
  get isAnnounced(): boolean {
    return this.#state.kind === "announced";
  }

  /** The offset that live messages must not pass while this wave ends; `undefined` if they may flow. */
  get liveBound(): Offset | undefined {
    return this.#state.kind === "folding" || this.#state.kind === "scanning" ? this.#state.bound : undefined;
  }

  /** The look was done: the ceiling is pinned here. An answer to another question changes nothing. */
  looked(replay: ReplayId): void {
    if (this.#state.kind === "pinning" && this.#state.replay === replay) this.#scan(replay, undefined);
  }

  /** The scan of that replay, if it is the one this wave is waiting for (I9). */
  scanOf(replay: ReplayId): Scan | undefined {
    return this.#state.kind === "scanning" && this.#state.scan.replay === replay ? this.#state.scan : undefined;
  }

  /** Whether a look or a replay of that name is in progress. */
  awaits(replay: ReplayId): boolean {
    if (this.#state.kind === "pinning") return this.#state.replay === replay;
    return this.scanOf(replay)?.isOpen === true;
  }

  /** A message of one of its topics came to the tail. */
  hold(offset: Offset): void {
    const { counters } = this.#shared;
    if (this.historyOnly) {
      counters.unwantedOffers++;
      return;
    }
    if (!this.#lost && this.#held.push(offset)) return;
    counters.rereadOffers++;
    if (!this.#lost) this.lose();
  }

  get heldOffsets(): number {
    return this.#held.length;
  }

  get rowsInHand(): number {
    return this.#state.kind === "scanning" ? this.#state.scan.left : 0;
  }

  /** Offsets of this wave are gone: what they stood for must be read from the store. */
  lose(): void {
    this.#lost = true;
    this.#giveUpHeld();
  }

  /** One of its topics was removed or taken over by another wave. */
  leave(): void {
    this.#remaining--;
    if (this.#remaining > 0) return;
    const state = this.#state;
    if (state.kind === "pinning") this.#shared.outbox.push({ kind: "cancelReplay", replay: state.replay });
    if (state.kind === "scanning" && state.scan.isOpen) {
      this.#shared.outbox.push({ kind: "cancelReplay", replay: state.scan.replay });
    }
    this.#shared.counters.unwantedRows += this.rowsInHand;
    this.#state = { kind: "announced", next: this.#topics.length };
  }

  /** When CatchupComplete was taken: opens the gates, and hands what is still held to the live lane. */
  complete(live: LiveLane): void {
    const { registrations } = this.#shared;
    if (this.historyOnly) for (const topic of this.#ownTopics()) registrations.remove(topic);
    else registrations.goLive(this, this.#topics);
    if (this.historyOnly || this.#remaining === 0) {
      this.#shared.counters.unwantedOffers += this.#held.length;
      return;
    }
    if (this.#lost) live.lose();
    else live.join(this.#held);
  }

  /** The wave's next frame, if it has one. */
  next(live: LiveLane): Frame | undefined {
    if (this.#state.kind === "scanning") {
      const frame = this.#replayed(this.#state.scan);
      if (frame !== undefined) return frame;
      this.#endScan(this.#state, live);
    }
    if (this.#state.kind === "folding") {
      const frame = this.#folded(this.#state.bound);
      if (frame !== undefined) return frame;
      if (this.#lost) this.#rescan(live);
      else this.#state = { kind: "announced", next: 0 };
    }
    return this.#state.kind === "announced" ? this.#announcement(this.#state) : undefined;
  }

  #replayed(scan: Scan): Frame | undefined {
    const batch = new Batch(this.#shared.frameBytes);
    this.#shared.counters.unwantedRows += scan.fill(batch, this);
    if (scan.askNext()) this.#shared.outbox.push({ kind: "nextPage", replay: scan.replay });
    return this.#frame(batch);
  }

  #folded(bound: Offset): Frame | undefined {
    const batch = new Batch(this.#shared.frameBytes);
    for (let offset = this.#held.first; offset !== undefined && offset <= bound; offset = this.#held.first) {
      const message = this.#shared.tail.get(offset);
      if (message === undefined) {
        this.lose();
        break;
      }
      const wanted = this.wants(message);
      if (wanted && !batch.admits(message)) break;
      this.#held.shift();
      if (wanted) this.deliver(message, batch);
      else this.#shared.counters.unwantedOffers++;
    }
    this.#shared.counters.foldedMessages += batch.messages.length;
    return this.#frame(batch);
  }

  /**
   * What follows a scan whose rows have all been taken. Unless live messages wait for this wave already, it
   * lets the healing of a lagging live lane begin first.
   */
  #endScan({ scan, bound }: ScanningState, live: LiveLane): void {
    if (!scan.exhausted) return;
    const insists = bound !== undefined;
    if (!this.historyOnly && !insists && live.isLagging) return;
    for (const kind of KINDS) this.#passed[kind] = higher(this.#passed[kind], scan.ceilings[kind]);
    if (this.historyOnly) this.#state = { kind: "announced", next: 0 };
    else if (!this.#lost && !insists) this.#state = { kind: "folding", bound: this.#shared.tail.head };
    else if (live.isWithin(scan.ceilings)) this.#state = { kind: "announced", next: 0 };
    else this.#rescan(live);
  }

  #rescan(live: LiveLane): void {
    const insists = this.#scans + 1 >= INSISTENT_SCAN && !live.isLagging;
    this.#scan(this.#shared.outbox.nameReplay(), insists ? this.#shared.tail.head : undefined);
  }

  #scan(replay: ReplayId, bound: Offset | undefined): void {
    const { tail, registrations, counters, outbox } = this.#shared;
    const topics = this.#ownTopics();
    const floors = topics.map((topic) => higher(registrations.floorOf(topic) ?? 0n, this.#passed[kindOf(topic)]));
    const ceilings: PerKind<bigint> = [tail.headIds[0], tail.headIds[1]];
    this.#giveUpHeld();
    this.#lost = false;
    this.#scans++;
    this.#state = { kind: "scanning", scan: new Scan(replay, ceilings), bound };
    counters.replays++;
    outbox.startReplay(replay, { topics, floors, ceilings });
  }

  /** What these offsets stand for is read from the store. */
  #giveUpHeld(): void {
    this.#shared.counters.rereadOffers += this.#held.length;
    this.#held.clear();
  }

  #announcement(state: { next: number }): Frame {
    const topics: Topic[] = [];
    let bytes = 0;
    for (; state.next < this.#topics.length && bytes < this.#shared.frameBytes; state.next++) {
      const topic = this.#topics[state.next];
      if (topic === undefined || !this.#has(topic)) continue;
      topics.push(topic);
      bytes += topic.length + TOPIC_OVERHEAD_BYTES;
    }
    return topics.length > 0 ? { kind: "topicsLive", topics } : { kind: "catchupComplete", mutateId: this.mutateId };
  }

  #frame(batch: Batch): Frame | undefined {
    this.#shared.counters.waveMessages += batch.messages.length;
    this.#shared.counters.entryBytes += batch.bytes;
    return batch.frame(this.mutateId);
  }

  /** The topics still in the wave, in the order of its Mutate. */
  #ownTopics(): readonly Topic[] {
    return this.#topics.filter((topic) => this.#has(topic));
  }

  /** Whether one of its Mutate's topics is still in it. */
  #has(topic: Topic): boolean {
    return this.#remaining === this.#topics.length || this.#shared.registrations.waveOf(topic) === this;
  }

  wants(message: Message): boolean {
    return this.#shared.registrations.isWantedIn(this, message);
  }

  deliver(message: Message, batch: Batch): void {
    batch.add(message);
    this.#shared.registrations.raiseGated(message);
    this.#passed[message.kind] = message.id;
  }
}
