import { violate } from "../../src/conformance/checker/violation";
import { Truth } from "../../src/conformance/truth";
import type { Message } from "../../src/core/message";
import type { Effect, ReplayId } from "../../src/core/session/events";
import type { Offset } from "../../src/core/tail";
import { KINDS, kindOf, type Topic } from "../../src/core/topic";
import { ModelTail } from "./model-tail";
import { ReplayServer } from "./replays";

/** Everything around one session: a store, a tailer with its tail, a hub, and a server of replays. */
export class World {
  readonly truth = new Truth();
  readonly tail: ModelTail;
  readonly replays: ReplayServer;
  /** What the hub has been asked to offer. */
  readonly watched = new Set<Topic>();
  readonly #stored: Message[] = [];
  /** How many stored messages the tailer has seen. */
  #seen = 0;
  #closed = false;

  constructor(tailCapacity: number) {
    this.tail = new ModelTail(tailCapacity);
    this.replays = new ReplayServer(this.#stored);
  }

  /** How many stored messages the tailer has not seen yet. */
  get unseen(): number {
    return this.#stored.length - this.#seen;
  }

  /** Stores a message. Nobody has been told of it so far. */
  insert(topic: Topic, entryBytes: number): bigint {
    const kind = kindOf(topic);
    const id = this.truth.heads[kind] + 1n;
    this.truth.inserted({ kind, id, topic });
    this.#stored.push({ kind, id, topic, entry: new Uint8Array(entryBytes) });
    return id;
  }

  /** Another node tells the publishers of everything stored so far, before this node has seen it. */
  ackElsewhere(): void {
    const { heads } = this.truth;
    for (const kind of KINDS) this.truth.promisedUpTo(kind, heads[kind]);
  }

  /** The tailer finds up to `rows` messages: they are in the tail and their publishers are told. Returns what the hub offers. */
  append(rows: number): Offset[] {
    const offers: Offset[] = [];
    for (const message of this.#stored.slice(this.#seen, this.#seen + rows)) {
      const offset = this.tail.append(message);
      this.truth.ackedUpTo(message.kind, message.id);
      this.#seen += 1;
      if (this.watched.has(message.topic)) offers.push(offset);
    }
    return offers;
  }

  /** Carries out what a session asks for. Returns the looks among it. */
  carryOut(effects: readonly Effect[]): readonly ReplayId[] {
    const looks: ReplayId[] = [];
    for (const effect of effects) {
      if (this.#closed) violate("I12", `the effect ${effect.kind} after the close`);
      if (effect.kind === "look") looks.push(effect.replay);
      this.#carryOut(effect);
    }
    return looks;
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "watch":
        for (const topic of effect.topics) this.watched.add(topic);
        break;
      case "unwatch":
        for (const topic of effect.topics) this.watched.delete(topic);
        break;
      case "look":
        this.replays.look(effect.replay);
        break;
      case "startReplay":
        this.replays.start(effect.replay, effect.scope);
        break;
      case "nextPage":
        this.replays.next(effect.replay);
        break;
      case "cancelReplay":
        this.replays.cancel(effect.replay);
        break;
      case "close":
        this.#closed = true;
        this.watched.clear();
        this.replays.stop();
        break;
      default:
        effect satisfies never;
    }
  }
}
