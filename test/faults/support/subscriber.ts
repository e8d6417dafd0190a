/** A client that holds one stream over all failures, by the client library. */

import { type MessageStream, NodeError, openStream, syncOnce, type Topic } from "../../../src/client";
import { Gate } from "./gate";
import type { Ledger } from "./ledger";
import { Reading } from "./reading";
import { type Place, urlOf, watchedTransport } from "./wire-watch";

export interface SubscriberOptions extends Place {
  readonly name: string;
  /** Wanted from 0. */
  readonly topics: readonly Topic[];
  /** Of these, the ones wanted only once {@link Subscriber.addLater} is called. */
  readonly later?: readonly Topic[];
  readonly ledger: Ledger;
  /** See StreamOptions. */
  readonly maxBufferedBytes?: number;
}

export class Subscriber implements AsyncDisposable {
  readonly reading: Reading;
  /** Why streams were lost, in order. */
  readonly losses: string[] = [];
  /** How often a stream began. */
  connects = 0;
  readonly #options: SubscriberOptions;
  readonly #gate = new Gate();
  #stream: MessageStream;
  #pump: Promise<void>;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.reading = new Reading(options.name, options.topics, options.ledger);
    const { topics, later = [] } = options;
    this.#stream = this.#open(wantsOf(topics.filter((topic) => !later.includes(topic))));
    this.#pump = this.#read(this.#stream);
  }

  /** Takes nothing any more, like a program that is busy, until {@link resume}. */
  pause(): void {
    this.#gate.close();
  }

  resume(): void {
    this.#gate.open();
  }

  addLater(): void {
    this.#stream.add(...wantsOf(this.#options.later ?? []));
  }

  /** Ends the stream and begins another from its cursors, like a program that is started again. */
  async reopen(): Promise<void> {
    const cursors = this.#stream.cursors();
    await this.#stop();
    this.#stream = this.#open(cursors);
    this.#pump = this.#read(this.#stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gate.open();
    await this.#stop();
  }

  async #stop(): Promise<void> {
    await this.#stream.close();
    await this.#pump;
  }

  #open(topics: ReturnType<MessageStream["cursors"]>): MessageStream {
    const { maxBufferedBytes } = this.#options;
    return openStream({
      address: urlOf(this.#options),
      topics,
      transport: watchedTransport(this.#options, (words) => this.reading.fault(words)),
      ...(maxBufferedBytes === undefined ? {} : { maxBufferedBytes }),
    });
  }

  async #read(stream: MessageStream): Promise<void> {
    try {
      for await (const event of stream) {
        if (event.kind === "messages") this.reading.take(event.lane, event.messages);
        if (event.kind === "connected") this.connects += 1;
        if (event.kind === "waiting") this.losses.push(`${event.loss.status}: ${event.loss.detail}`);
        await this.#gate.passed();
      }
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      this.reading.fault(`its stream was ended for good: ${error.message}`);
    }
  }
}

/** Reads everything there is in some topics, from 0, as a client that has never been there. */
export async function readAfresh(place: Place, topics: readonly Topic[], ledger: Ledger): Promise<Reading> {
  const reading = new Reading("a fresh reader", topics, ledger);
  await using stream = syncOnce({
    address: urlOf(place),
    topics: wantsOf(topics),
    transport: watchedTransport(place, (words) => reading.fault(words)),
  });
  for await (const event of stream) if (event.kind === "messages") reading.take(event.lane, event.messages);
  return reading;
}

function wantsOf(topics: readonly Topic[]) {
  return topics.map((topic) => ({ topic, cursor: 0n }));
}
