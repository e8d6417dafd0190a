/** How streams are fed: the seam between `feed/` and whoever runs sessions. */

import type { Message } from "../core/message";
import type { ReplayScope } from "../core/session/events";
import type { Offset, TailView } from "../core/tail";
import type { Topic } from "../core/topic";
import type { NewMessage, StoredMessage } from "../store/types";

/** Turns a stored message into the entry that all streams share. Given by the wiring, because `feed/` does not know the wire. */
export type EncodeEntry = (message: StoredMessage) => Uint8Array;

/**
 * Someone who wants offsets of the topics it watches. It must not throw: one that does is logged and offered
 * nothing any more.
 */
export interface Subscriber {
  /** New messages of watched topics, ascending. Called once per tick; the array is reused, so read it during the call. */
  offers(offsets: readonly Offset[]): void;
}

/**
 * Where a replay's pages go. Each call comes in a turn of its own, never from within `replay` or `next`. It must
 * not throw: one that does is logged and called no more.
 */
export interface ReplaySink {
  /** Ascending per kind; `done`: nothing follows. */
  page(messages: readonly Message[], done: boolean): void;
  /** The store could not be read, after retries. Nothing follows. */
  failed(detail: string): void;
}

export interface Replay {
  /** Asks for the page after the one delivered last. The first page comes by itself. */
  next(): void;
  /** No further call of the sink; whatever was prefetched is dropped. Safe at any time, repeatedly. */
  cancel(): void;
}

export interface Feed {
  readonly tail: TailView;
  watch(subscriber: Subscriber, topics: readonly Topic[]): void;
  unwatch(subscriber: Subscriber, topics: readonly Topic[]): void;
  /**
   * Starts reading what a scope asks for. Topics whose floor is at or above their head cost no query, nor does what
   * is wholly in the tail. A ceiling above the tail's head counts as the head: what lies above it comes as offers.
   */
  replay(scope: ReplayScope, sink: ReplaySink): Replay;
  /** Resolves after a look at the store that began after this call; concurrent callers share one. Rejects with StoreError. */
  look(): Promise<void>;
  /**
   * All messages of a topic above a cursor, ascending, if memory can tell, whoever published them: those are among
   * them whose publishing was acked before this call, here or on another node. `undefined`: ask the store. Rejects
   * with StoreError.
   */
  recent(topic: Topic, cursor: bigint): Promise<readonly Message[] | undefined>;
  /**
   * Stores all messages of a request or none, and resolves when they are durable AND in this node's tail.
   * @throws StoreError as `Appender.append`.
   */
  publish(request: readonly NewMessage[]): Promise<void>;
}
