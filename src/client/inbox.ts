import type { Loss, ServerFrame, StreamNumber } from "../core/connection/events";
import { type DeliveredMessage, sizeOf } from "./messages";

/** What a stream has said and the consumer has not asked for yet. */
export type Arrival =
  | { readonly kind: "frame"; readonly stream: StreamNumber; readonly frame: ServerFrame<DeliveredMessage> }
  | { readonly kind: "ended"; readonly stream: StreamNumber; readonly loss: Loss };

/** What one message costs beside its bytes, about. */
const MESSAGE_BYTES = 300;

/** Arrivals in their order, bounded by what they weigh: whoever fills it is to stop reading while it is full. */
export class Inbox {
  readonly #maxBytes: number;
  #arrivals: { readonly arrival: Arrival; readonly bytes: number }[] = [];
  #first = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get full(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  push(arrival: Arrival): void {
    const bytes = weigh(arrival);
    this.#arrivals.push({ arrival, bytes });
    this.#bytes += bytes;
  }

  shift(): Arrival | undefined {
    const next = this.#arrivals[this.#first];
    if (next === undefined) return undefined;
    this.#first++;
    this.#bytes -= next.bytes;
    if (this.#first > 64 && this.#first * 2 > this.#arrivals.length) {
      this.#arrivals = this.#arrivals.slice(this.#first);
      this.#first = 0;
    }
    return next.arrival;
  }

  clear(): void {
    this.#arrivals = [];
    this.#first = 0;
    this.#bytes = 0;
  }
}

function weigh(arrival: Arrival): number {
  if (arrival.kind !== "frame" || arrival.frame.kind !== "messages") return MESSAGE_BYTES;
  return arrival.frame.messages.reduce((sum, message) => sum + MESSAGE_BYTES + sizeOf(message), MESSAGE_BYTES);
}
