/** What happens to a connection, what it asks for, and what it tells its consumer. */

import type { Frame, Lane, Mutate } from "../frame";
import type { Millis } from "../time";
import type { Kind, Topic } from "../topic";
import type { StatusName } from "./status";
import type { MutateLimits } from "./wanted";

export interface ConnectionOptions {
  /** Bounded sync (C-5): every add is history_only, and a topic is done with when its history is complete. */
  readonly historyOnly: boolean;
  /** From 0 up to, but not including, 1: jitters the waits between streams. */
  readonly random: () => number;
  /** Gives up after so many attempts in a row that never got to Started, or of a bounded sync to any history; `undefined`: never. */
  readonly maxAttempts?: number | undefined;
  /** How long the server may take to send Started. */
  readonly openMs?: Millis;
  /** How long the answer to a probe may take after the machine slept. */
  readonly probeMs?: Millis;
  readonly mutateLimits?: MutateLimits;
}

/** What the core must know of a delivered message; everything else of it passes through untouched. */
export interface Positioned {
  readonly kind: Kind;
  readonly id: bigint;
  readonly topic: Topic;
}

/** A frame as the client's wire decodes it. */
export type ServerFrame<M extends Positioned> =
  | Exclude<Frame, { kind: "messages" | "started" }>
  /** `ascending`: within what ids ascend on a lane. Default: its kind. */
  | { readonly kind: "started"; readonly keepaliveMs: Millis; readonly ascending?: Ascending }
  | { readonly kind: "messages"; readonly lane: Lane; readonly messages: readonly M[] };

/** Within what the ids of a lane ascend: over all its topics of a kind, or only within each topic. */
export type Ascending = "kind" | "topic";

/** Numbers the streams that a connection opens one after the other, from 1; what an older one says is ignored. */
export type StreamNumber = number;

/** A topic and where to begin: only ids strictly above the cursor are delivered. */
export interface Want {
  readonly topic: Topic;
  readonly cursor: bigint;
}

export type ConnectionEvent<M extends Positioned> =
  /**
   * The consumer wants topics. One that it has already is left alone, unless it is now asked for from a
   * lower cursor than before: then it is replayed from there.
   */
  | { readonly kind: "add"; readonly wants: readonly Want[] }
  | { readonly kind: "remove"; readonly topics: readonly Topic[] }
  /** No further add comes: half-close once every wave is complete, and read to the end. */
  | { readonly kind: "finish" }
  /** The consumer has had enough. */
  | { readonly kind: "close" }
  | { readonly kind: "frame"; readonly stream: StreamNumber; readonly frame: ServerFrame<M> }
  /** A frame has arrived that will be handed over later: a sign of life, no more. */
  | { readonly kind: "heard"; readonly stream: StreamNumber }
  | { readonly kind: "ended"; readonly stream: StreamNumber; readonly status: StatusName; readonly detail: string }
  /** Nothing is being read, because the consumer is behind: silence means nothing until `reading`. */
  | { readonly kind: "paused" }
  | { readonly kind: "reading" }
  /** The machine slept: whatever was open may be dead without knowing it (C-6). */
  | { readonly kind: "resumed" }
  /** The deadline may have been reached. */
  | { readonly kind: "wake" };

/** What the client says on a stream. */
export type ClientRequest =
  | { readonly kind: "mutate"; readonly mutate: Mutate }
  | { readonly kind: "ping"; readonly nonce: bigint }
  | { readonly kind: "pong"; readonly nonce: bigint }
  /** Nothing follows. */
  | { readonly kind: "halfClose" };

/** Why a stream was lost. */
export interface Loss {
  readonly status: StatusName;
  readonly detail: string;
}

export type ConnectionState =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected"; readonly keepaliveMs: Millis }
  /** The stream was lost; the next one is opened after `retryMs`. */
  | { readonly kind: "waiting"; readonly retryMs: Millis; readonly loss: Loss };

/** How a connection ended for good. */
export type ConnectionEnd =
  /** After `finish`: everything asked for was delivered. */
  | { readonly kind: "finished" }
  /** After `close`. */
  | { readonly kind: "closed" }
  /** The node refused what was asked; asking again is of no use. */
  | { readonly kind: "refused"; readonly loss: Loss }
  /** Nothing came of as many attempts as were allowed. */
  | { readonly kind: "unreachable"; readonly loss: Loss };

export type ConnectionEffect<M extends Positioned> =
  /** Open a stream; pull {@link ClientRequest}s into it from the start, they need not wait for Started. */
  | { readonly kind: "open"; readonly stream: StreamNumber }
  /** Cancel a stream; nothing it still says is wanted. */
  | { readonly kind: "abandon"; readonly stream: StreamNumber }
  /** For the consumer, exactly once, ascending per topic. */
  | { readonly kind: "deliver"; readonly lane: Lane; readonly messages: readonly M[] }
  /** From here on these topics are live. Comes again after each reconnect. */
  | { readonly kind: "topicsLive"; readonly topics: readonly Topic[] }
  /** The history of these topics is complete. Comes again after each reconnect. */
  | { readonly kind: "catchupComplete"; readonly mutateId: bigint; readonly topics: readonly Topic[] }
  | { readonly kind: "state"; readonly state: ConnectionState }
  /** Nothing follows. */
  | { readonly kind: "over"; readonly end: ConnectionEnd };
