import type { Frame, Lane } from "../frame";
import type { StreamLimits } from "../limits";
import type { Message } from "../message";
import type { TailView } from "../tail";
import type { Counters } from "./account";
import type { Effect, ReplayId, ReplayScope } from "./events";
import type { Registrations } from "./registrations";

/** What the regions of one session have in common. */
export interface Shared {
  readonly tail: TailView;
  readonly limits: StreamLimits;
  /** Size beyond which the frame that is asked for is not filled, in bytes of entries. */
  frameBytes: number;
  readonly registrations: Registrations;
  readonly counters: Counters;
  readonly outbox: Outbox;
}

/** The effects that wait to be taken, and the names of replays. */
export class Outbox {
  #effects: Effect[] | undefined;
  #lastReplay: ReplayId = 0;

  push(effect: Effect): void {
    if (this.#effects === undefined) this.#effects = [effect];
    else this.#effects.push(effect);
  }

  take(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = undefined;
    return effects ?? NO_EFFECTS;
  }

  /** A name that no replay of this session had before (I9). */
  nameReplay(): ReplayId {
    this.#lastReplay++;
    return this.#lastReplay;
  }

  startReplay(replay: ReplayId, scope: ReplayScope): void {
    this.push({ kind: "startReplay", replay, scope });
  }
}

const NO_EFFECTS: readonly Effect[] = [];

/** A delivery frame in the making: at least one message, then as many as fit the target. */
export class Batch {
  readonly #targetBytes: number;
  readonly messages: Message[] = [];
  bytes = 0;

  constructor(targetBytes: number) {
    this.#targetBytes = targetBytes;
  }

  /** Whether the message still fits; the first one always does, because a message is never split. */
  admits(message: Message): boolean {
    return this.messages.length === 0 || this.bytes + message.entry.length <= this.#targetBytes;
  }

  add(message: Message): void {
    this.messages.push(message);
    this.bytes += message.entry.length;
  }

  /** The frame, or `undefined` if nothing was added. */
  frame(lane: Lane): Frame | undefined {
    return this.messages.length === 0 ? undefined : { kind: "messages", lane, messages: this.messages };
  }
}
