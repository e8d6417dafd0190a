/**
 * Looks over the shoulder of a client: what comes over the wire must be exactly-once and in order by itself, for a
 * client drops what it knows already and would hide a node that sends it twice.
 */

import { grpcTransport, type SubscribeTransport, type Topic } from "../../../src/client";
import type { ClientRequest } from "../../../src/core/connection/events";

/** Where a node is. */
export interface Place {
  /** host:port */
  readonly address: string;
  /** The authority of its certificate, in PEM; without, it speaks no TLS. */
  readonly ca?: string | undefined;
}

export function urlOf({ address, ca }: Place): string {
  return `${ca === undefined ? "http" : "https"}://${address}`;
}

/** A transport to a node that tells of everything against the rules. */
export function watchedTransport({ address, ca }: Place, onFault: (words: string) => void): SubscribeTransport {
  const inner = grpcTransport(urlOf({ address, ca }), { ca });
  return {
    async *open(requests, signal) {
      const watch = new StreamWatch(onFault);
      for await (const frame of inner.open(watch.over(requests), signal)) {
        if (frame.kind === "messages") {
          for (const { kind, id, topic } of frame.messages) watch.saw(`${frame.lane}/${kind}`, kind, topic, id);
        }
        yield frame;
      }
    },
  };
}

/** One stream, from its opening to its end. */
class StreamWatch {
  readonly #onFault: (words: string) => void;
  /** Cursors by which the topics were added. */
  readonly #floors = new Map<string, bigint>();
  /** Newest id per lane and kind, and per topic. */
  readonly #newest = new Map<string, bigint>();
  readonly #newestOfTopic = new Map<Topic, bigint>();

  constructor(onFault: (words: string) => void) {
    this.#onFault = onFault;
  }

  async *over(requests: AsyncIterable<ClientRequest>): AsyncGenerator<ClientRequest> {
    for await (const request of requests) {
      if (request.kind === "mutate") {
        for (const { topic, cursor } of request.mutate.adds) this.#floors.set(topic, cursor);
      }
      yield request;
    }
  }

  /** In order per lane and kind (I3), each once (I2) and in order per topic, nothing at or below the cursor (I5). */
  saw(lane: string, kind: number, topic: Topic, id: bigint): void {
    const before = this.#newest.get(lane) ?? 0n;
    if (id <= before) this.#onFault(`on the wire, id ${id} of kind ${kind} came after ${before} in lane ${lane}`);
    this.#newest.set(lane, id);
    const floor = this.#newestOfTopic.get(topic) ?? this.#floors.get(topic);
    if (floor === undefined) this.#onFault(`on the wire, id ${id} is of a topic that was not asked for`);
    else if (id <= floor) this.#onFault(`on the wire, id ${id} of kind ${kind} came at or below ${floor} of its topic`);
    this.#newestOfTopic.set(topic, id);
  }
}
