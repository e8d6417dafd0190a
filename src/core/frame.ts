import type { Message } from "./message";
import type { Topic } from "./topic";

/** The lane of a delivery frame: the `mutate_id` of its wave, or 0 for live. */
export type Lane = bigint;

/** The lane of live deliveries. */
export const LIVE: Lane = 0n;

/** What the server says on a stream, before it is encoded. */
export type Frame =
  /** The first frame. `keepaliveMs`: the cadence of Pings; 0 on a stream that has none. */
  | { readonly kind: "started"; readonly keepaliveMs: number }
  /** At least one message, of one lane only (I6), ascending per kind. */
  | { readonly kind: "messages"; readonly lane: Lane; readonly messages: readonly Message[] }
  | { readonly kind: "topicsLive"; readonly topics: readonly Topic[] }
  | { readonly kind: "catchupComplete"; readonly mutateId: bigint }
  | { readonly kind: "ping"; readonly nonce: bigint }
  | { readonly kind: "pong"; readonly nonce: bigint };

/** One topic that a client adds, as it came off the wire: nothing is checked yet. */
export interface Add {
  /** Kind byte and identifier, one character per byte. */
  readonly topic: string;
  /** Exclusive: only ids strictly above are delivered. 0 = from the beginning. */
  readonly cursor: bigint;
}

/** A client's request to change its subscriptions, as it came off the wire: nothing is checked yet. */
export interface Mutate {
  readonly id: bigint;
  readonly adds: readonly Add[];
  /** Kind byte and identifier, one character per byte. */
  readonly removes: readonly string[];
  readonly historyOnly: boolean;
}
