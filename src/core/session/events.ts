import type { Close } from "../close";
import type { Mutate } from "../frame";
import type { Message } from "../message";
import type { Offset } from "../tail";
import type { PerKind, Topic } from "../topic";

/** Names one replay of a session; never used twice, so a page of an older replay is recognised (I9). */
export type ReplayId = number;

/** What happens to a session. */
export type SessionEvent =
  | { readonly kind: "mutate"; readonly mutate: Mutate }
  | { readonly kind: "ping"; readonly nonce: bigint }
  | { readonly kind: "pong"; readonly nonce: bigint }
  /** Bytes that are no request at all. */
  | { readonly kind: "malformed"; readonly detail: string }
  | { readonly kind: "halfClosed" }
  | { readonly kind: "cancelled" }
  /** The wire is full: it will not be pulled until `flushed`. */
  | { readonly kind: "blocked" }
  /** The peer took some bytes of what blocks the wire; the stall deadline starts anew. */
  | { readonly kind: "progress" }
  /** The wire has room again. */
  | { readonly kind: "flushed" }
  /**
   * Messages of watched topics were appended to the tail: offsets that ascend from event to event, read during the
   * call only. Told in the tick in which the tail's head rose, before anything else is.
   */
  | { readonly kind: "offers"; readonly offsets: readonly Offset[] }
  /** The fresh look asked for by a `look` effect has been done: the tail now holds whatever was acked before it. */
  | { readonly kind: "looked"; readonly replay: ReplayId }
  /** The next messages of a replay, ascending per kind; empty is fine. `done`: nothing follows. */
  | { readonly kind: "page"; readonly replay: ReplayId; readonly messages: readonly Message[]; readonly done: boolean }
  | { readonly kind: "replayFailed"; readonly replay: ReplayId; readonly detail: string }
  /** The deadline may have been reached. */
  | { readonly kind: "wake" }
  | { readonly kind: "shutdown" };

/** What to read from the store: for each topic the ids above its floor, up to its kind's ceiling, merged ascending per kind. */
export interface ReplayScope {
  readonly topics: readonly Topic[];
  /** One per topic, exclusive. */
  readonly floors: readonly bigint[];
  /** Per kind, inclusive. */
  readonly ceilings: PerKind<bigint>;
}

/** What a session asks of its surroundings. */
export type Effect =
  | { readonly kind: "watch"; readonly topics: readonly Topic[] }
  | { readonly kind: "unwatch"; readonly topics: readonly Topic[] }
  /** Have the tailer look at the store once more and answer `looked` (history_only: read what was acked before). */
  | { readonly kind: "look"; readonly replay: ReplayId }
  /** Start reading; the first page comes without being asked for. */
  | { readonly kind: "startReplay"; readonly replay: ReplayId; readonly scope: ReplayScope }
  /** The last page has been sent: hand over the next one. Never more than one page is outstanding. */
  | { readonly kind: "nextPage"; readonly replay: ReplayId }
  /** Forget a `look` or a replay: no further event of it is wanted. */
  | { readonly kind: "cancelReplay"; readonly replay: ReplayId }
  /** The stream is over. Nothing follows, neither frame nor effect (I12); all watches and replays are gone with it. */
  | { readonly kind: "close"; readonly close: Close };
