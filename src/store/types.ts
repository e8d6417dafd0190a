/** What the rest of the node knows of the store: rows, and the questions one can ask of them. */

import type { Kind, PerKind, Topic } from "../core/topic";

/** A message to be stored. */
export interface NewMessage {
  readonly kind: Kind;
  readonly topic: Topic;
  /** SHA-256 of the payload, 32 bytes: a second message with the same topic and digest is the same message. */
  readonly digest: Uint8Array;
  /** Which arm of the kind's `version` oneof the body is of: its field number. */
  readonly arm: number;
  /** The encoded fields of that arm, without `id` and `created_ns`, which the store gives. */
  readonly body: Uint8Array;
}

/** A stored message. */
export interface StoredMessage {
  readonly kind: Kind;
  readonly id: bigint;
  readonly topic: Topic;
  /** When it was stored, nanoseconds since 1970 by the node's wall clock. */
  readonly createdNs: bigint;
  readonly arm: number;
  readonly body: Uint8Array;
}

/** A topic and the ids of messages of it. */
export interface TopicIds {
  readonly topic: Topic;
  /** Ascending, at least one. */
  readonly ids: BigInt64Array;
}

/** What one committed batch stored: consecutive ids of one kind. Duplicates are not among them. */
export interface Committed {
  readonly kind: Kind;
  /** Ascending by id, without holes. Empty if all were duplicates. */
  readonly messages: readonly StoredMessage[];
}

/** Takes messages and makes them durable. */
export interface Appender {
  /**
   * Stores all messages of a request or none; they are all of one kind.
   * Resolves after the commit, with each message's id in the order given (a duplicate has the id of the
   * one that was there first).
   * @throws StoreError `full` when the queue is, `refused` when the database rejects a message of this
   *   request, `unreachable` when retries were of no use.
   */
  append(request: readonly NewMessage[]): Promise<readonly bigint[]>;
}

export type Direction = "ascending" | "descending";

/** How much one answer may hold. */
export interface PageSize {
  readonly rows: number;
  /** Of bodies. One message is given even if it is larger. */
  readonly bytes: number;
}

/** Messages of one topic, in the direction asked for. */
export interface TopicPage {
  readonly messages: readonly StoredMessage[];
  /** Whether rows that were asked for did not fit into the bytes. */
  readonly isCut: boolean;
}

/** Reads messages. Every answer reflects all commits that were acked before the question. */
export interface Reader {
  /** Whether the database is a hot standby: it is read, and takes no messages until it is promoted. */
  isStandby(): Promise<boolean>;
  /** Per kind, the newest id ever given; 0 before the first. */
  headIds(): Promise<PerKind<bigint>>;
  /** Rows of a kind above an id, ascending, at most `maxRows` and about `maxBytes` of bodies (at least one row if there is one). */
  above(kind: Kind, id: bigint, maxRows: number, maxBytes: number): Promise<readonly StoredMessage[]>;
  /** For each topic its newest id, 0 where it has none; same order and length. */
  heads(topics: readonly Topic[]): Promise<readonly bigint[]>;
  /** Each topic that has messages within (above, to], with all ids it has there; ascending by the newest. No payload is read. */
  topicsIn(kind: Kind, above: bigint, to: bigint): Promise<readonly TopicIds[]>;
  /** Index only: the lowest id that any of the topics has above its floor; `undefined` if none has one. */
  first(topics: readonly Topic[], floors: readonly bigint[]): Promise<bigint | undefined>;
  /**
   * Index only: the ids of the topics (all of one kind) above their floors and within (from, to], ascending.
   * No payload is read.
   */
  ids(
    kind: Kind,
    topics: readonly Topic[],
    floors: readonly bigint[],
    from: bigint,
    to: bigint,
  ): Promise<BigInt64Array>;
  /**
   * The messages with these ids, ascending: as many from the front as fit about `maxBytes` of bodies (at least
   * one row if there is one). Bounded, because a page of the largest messages would not fit in memory.
   */
  byIds(kind: Kind, ids: BigInt64Array, maxBytes: number): Promise<readonly StoredMessage[]>;
  /** Rows of one topic beyond an exclusive cursor; `undefined` = from the end the direction starts at. */
  ofTopic(topic: Topic, direction: Direction, cursor: bigint | undefined, size: PageSize): Promise<TopicPage>;
}

/** Which messages are too old to be kept. */
export interface TooOld {
  readonly kind: Kind;
  /** Everything up to this id is known to be gone; 0 if nothing is. */
  readonly above: bigint;
  /** Age from which a message is too old, in nanoseconds, by the slower of two clocks: the caller's and the database's. */
  readonly ageNs: bigint;
}

/** What one call deleted. */
export interface Deleted {
  /** Whether it was this caller's turn: one process deletes at a time, and to the others nothing happens. */
  readonly mine: boolean;
  readonly rows: number;
  /** Bytes of the bodies. */
  readonly bytes: number;
  /** No message of the kind is left up to this id, whoever deleted it. */
  readonly goneUpTo: bigint;
  /** Whether there may be more that is too old: the call deleted as much as one may. */
  readonly more: boolean;
}

/** Deletes messages. Ids are never given twice, whatever is deleted: what was given stays in the sequence. */
export interface Deleter {
  /** Deletes the oldest messages of a kind that are too old: a bounded number of them, in one commit. @throws StoreError */
  deleteOld(tooOld: TooOld): Promise<Deleted>;
  /**
   * Deletes the messages older than `ageNs` of all topics that begin with a prefix: few, since it is one commit.
   * Returns how many. @throws StoreError
   */
  deleteBeginning(prefix: Topic, ageNs: bigint): Promise<number>;
}

/** The newest message of a committed batch. */
export interface Newest {
  readonly kind: Kind;
  readonly id: bigint;
}

/** What the listener tells. All of it are hints to look again; none of it is needed for completeness. */
export interface ListenerEvents {
  /** A notification came: something was committed, up to `newest` if it says so. */
  readonly onNotify: (newest?: Newest) => void;
  /** Listening began, or began again after a loss: notifications may have been missed. */
  readonly onListen: () => void;
  /** Whether notifications currently reach us; `false` also when the socket is open but deaf. */
  readonly onHealth: (listening: boolean) => void;
}
