import { createHash } from "node:crypto";
import type { Kind, PerKind } from "../../../src/core/topic";
import type { GroupMessageSchema, WelcomeMessageSchema } from "../../../src/wire/gen/mls/api/v1/mls_pb";
import type { InitOf } from "../../../src/wire/init";
import type { Broken } from "./faults";

/** A delivered message, as either list of a delivery frame has it. */
export type Delivered =
  | { readonly kind: 0; readonly group: InitOf<typeof GroupMessageSchema> }
  | { readonly kind: 1; readonly welcome: InitOf<typeof WelcomeMessageSchema> };

/** A message that has its place. */
export interface Stored {
  readonly kind: Kind;
  readonly id: bigint;
  /** Kind byte and identifier, one character per byte. */
  readonly topic: string;
  readonly bytes: number;
  readonly delivered: Delivered;
}

/** A message that has none yet. */
export interface Unstored {
  readonly kind: Kind;
  readonly topic: string;
  /** What tells it from others of its topic. */
  readonly data: Uint8Array;
  deliveredAs(id: bigint, createdNs: bigint): Delivered;
}

/** All messages of a model, in memory. Whoever listens is told of each as it is stored. */
export class MessageLog {
  readonly #broken: Broken;
  readonly #ofTopic = new Map<string, Stored[]>();
  readonly #known = new Set<string>();
  readonly #listeners = new Set<(stored: Stored) => void>();
  readonly #heads: [bigint, bigint] = [0n, 0n];

  constructor(broken: Broken) {
    this.#broken = broken;
  }

  get heads(): PerKind<bigint> {
    return this.#heads;
  }

  /** Messages of a topic above a cursor, ascending. */
  above(topic: string, cursor: bigint): readonly Stored[] {
    return (this.#ofTopic.get(topic) ?? []).filter(({ id }) => id > cursor);
  }

  /** Stores messages in their order, but none that its topic has already. */
  store(messages: readonly Unstored[]): void {
    for (const message of messages) {
      const name = `${message.topic} ${createHash("sha256").update(message.data).digest("base64")}`;
      if (this.#known.has(name) && !this.#broken("duplicates-stored")) continue;
      this.#known.add(name);
      this.#storeOne(message);
    }
  }

  /** Calls back for every message from now on, until disposed of. */
  listen(listener: (stored: Stored) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #storeOne({ kind, topic, data, deliveredAs }: Unstored): void {
    this.#heads[kind] += 1n;
    const id = this.#heads[kind];
    const delivered = deliveredAs(id, BigInt(Date.now()) * 1_000_000n);
    const stored: Stored = { kind, id, topic, bytes: data.length, delivered };
    const known = this.#ofTopic.get(topic);
    if (known === undefined) this.#ofTopic.set(topic, [stored]);
    else known.push(stored);
    for (const listener of this.#listeners) listener(stored);
  }
}
