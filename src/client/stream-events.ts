import type { Clock } from "../base/clock";
import type { ConnectionState, Want } from "../core/connection/events";
import type { Lane } from "../core/frame";
import type { Topic } from "../core/topic";
import type { DeliveredMessage } from "./messages";
import type { SubscribeTransport, Trust } from "./transport";

export interface StreamOptions extends Trust {
  /** Base URL of the node, as http://127.0.0.1:5556. */
  readonly address: string;
  /** What to begin with; more can be added at any time. */
  readonly topics?: readonly Want[];
  /** Aborting it closes the stream. */
  readonly signal?: AbortSignal;
  /** How much may wait for the consumer, in bytes; beyond it nothing is read. Default 16 MiB. */
  readonly maxBufferedBytes?: number;
  /**
   * Gives up after so many attempts in a row to reach the node; default: never. A bounded sync (default: 5) counts those that
   * brought nothing, because a node without its store is reached, too.
   */
  readonly maxAttempts?: number;
  /** How streams are opened, when not over gRPC. */
  readonly transport?: SubscribeTransport;
  readonly clock?: Clock;
  /** From 0 up to, but not including, 1. */
  readonly random?: () => number;
}

/** What a stream tells its consumer, in order. */
export type StreamEvent =
  /** Each message once, ascending per topic. `lane`: the id of the wave it came with, or 0 for live. */
  | { readonly kind: "messages"; readonly lane: Lane; readonly messages: readonly DeliveredMessage[] }
  /** These topics are live from here on. Comes again after each reconnect. */
  | { readonly kind: "topicsLive"; readonly topics: readonly Topic[] }
  /** The history of these topics is complete. Comes again after each reconnect. */
  | { readonly kind: "catchupComplete"; readonly mutateId: bigint; readonly topics: readonly Topic[] }
  | ConnectionState;

/** Whether an event tells how the connection fares, rather than what came over it. */
export function isState(event: StreamEvent): event is ConnectionState {
  return event.kind === "connecting" || event.kind === "connected" || event.kind === "waiting";
}
