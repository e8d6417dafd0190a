/** What a drill published, and what became of it. */

import { randomBytes } from "node:crypto";
import { wrapPayload } from "../../../src/cli/payload";
import type { DeliveredMessage } from "../../../src/client";
import { GROUP, kindOf, type Topic, topicBytes } from "../../../src/core/topic";
import { Column } from "./column";

/** `maybe`: it was sent, and nobody told whether it is stored. `refused`: somebody told that it is not. */
export type Fate = "open" | "acked" | "maybe" | "refused";

const FATES: readonly Fate[] = ["open", "acked", "maybe", "refused"];
/** At the end of each payload: which drill it is of, and its number. */
const MARK_BYTES = 8;

/** Every message has a number, from 0 in the order in which they were made. */
export class Ledger {
  /** Of this drill, in each of its messages. */
  readonly #run: number;
  readonly #topics: Topic[] = [];
  readonly #topicNumbers = new Map<Topic, number>();
  readonly #topicOf = new Column();
  readonly #publisherOf = new Column();
  readonly #sentAt = new Column();
  readonly #fateOf = new Column();

  constructor(run: number) {
    this.#run = run >>> 0;
  }

  get length(): number {
    return this.#sentAt.length;
  }

  /** How many messages have each fate. */
  count(): Readonly<Record<Fate, number>> {
    const counts = { open: 0, acked: 0, maybe: 0, refused: 0 };
    for (let n = 0; n < this.length; n++) counts[this.fateOf(n)] += 1;
    return counts;
  }

  /** Makes a message, to be sent now. */
  make(publisher: number, topic: Topic, bytes: number): { readonly n: number; readonly data: Uint8Array } {
    const n = this.length;
    this.#topicOf.set(n, this.#numberOf(topic));
    this.#publisherOf.set(n, publisher);
    this.#sentAt.set(n, performance.now());
    this.#fateOf.set(n, 0);
    const payload = Buffer.alloc(Math.max(bytes, MARK_BYTES));
    payload.writeUInt32BE(this.#run, payload.length - MARK_BYTES);
    payload.writeUInt32BE(n, payload.length - MARK_BYTES / 2);
    const isGroup = kindOf(topic) === GROUP;
    const data = isGroup
      ? wrapPayload(topicBytes(topic).subarray(1), payload)
      : Buffer.concat([randomBytes(MARK_BYTES), payload]);
    return { n, data };
  }

  /** The number of a message that was delivered; `undefined` if it is not one of ours. */
  numberOf(message: DeliveredMessage): number | undefined {
    const data = dataOf(message);
    if (data.length < MARK_BYTES) return undefined;
    const view = new DataView(data.buffer, data.byteOffset + data.length - MARK_BYTES, MARK_BYTES);
    const n = view.getUint32(MARK_BYTES / 2);
    return view.getUint32(0) === this.#run && n < this.length && this.topicOf(n) === message.topic ? n : undefined;
  }

  decide(n: number, fate: Fate): void {
    this.#fateOf.set(n, FATES.indexOf(fate));
  }

  fateOf(n: number): Fate {
    return FATES[this.#fateOf.at(n)] ?? "open";
  }

  topicOf(n: number): Topic | undefined {
    return this.#topics[this.#topicOf.at(n)];
  }

  publisherOf(n: number): number {
    return this.#publisherOf.at(n);
  }

  /** When it was made, in milliseconds of this process. */
  sentAt(n: number): number {
    return this.#sentAt.at(n);
  }

  #numberOf(topic: Topic): number {
    const known = this.#topicNumbers.get(topic);
    if (known !== undefined) return known;
    this.#topics.push(topic);
    this.#topicNumbers.set(topic, this.#topics.length - 1);
    return this.#topics.length - 1;
  }
}

function dataOf(message: DeliveredMessage): Uint8Array {
  if (message.kind === GROUP) return message.data;
  const { content } = message;
  return content.form === "welcome" ? content.data : content.welcomePointer;
}
