/** What can be set about the feed. All of it has a default that suits a node of a few gigabytes. */
export interface FeedOptions {
  /** Messages the tail keeps at most. */
  readonly tailRows: number;
  /** Bytes of encoded messages the tail keeps at most. */
  readonly tailBytes: number;
  /** Topics whose newest id is kept in memory at most. */
  readonly headTopics: number;
  /** Of each kind, how many of the newest ids are kept in memory with what of them is of one topic. */
  readonly recentIds: number;
  /**
   * Of the newest ids of each kind, how many are looked at before the feed starts: topics that have their newest message
   * among them, and cursors above them, cost no question from then on. 0: none.
   */
  readonly warmIds: number;
  /** Milliseconds without a look after which there is one, while notifications reach us. */
  readonly tickMs: number;
  /** The same while they do not: a listener that is deaf or away, or a node that only polls. */
  readonly pollMs: number;
  /** Rows that one read of a look brings at most; not more than the tail keeps. */
  readonly lookRows: number;
  /** Bytes of bodies that one read of a look brings at most, about. */
  readonly lookBytes: number;
  /** Milliseconds that `look` and `publish` wait for the store to be read before they give up. */
  readonly lookMs: number;
  /** Queries of replays that run at once. */
  readonly replayQueries: number;
  /** Milliseconds for which a failed query of a replay is tried again before the replay fails, beyond what the store tries by itself. */
  readonly replayRetryMs: number;
  /** Bytes of pages that all replays together hold, about: with many replays their pages become smaller. */
  readonly replayBytes: number;
  /** Bytes of pages and ids read by replays that are kept at most for others which ask the same. */
  readonly sharedBytes: number;
}

export const DEFAULT_FEED_OPTIONS: FeedOptions = {
  tailRows: 65_536,
  tailBytes: 64 << 20,
  headTopics: 1_000_000,
  recentIds: 131_072,
  warmIds: 131_072,
  tickMs: 1_000,
  pollMs: 25,
  lookRows: 1_000,
  lookBytes: 8 << 20,
  lookMs: 10_000,
  replayQueries: 4,
  replayRetryMs: 5_000,
  replayBytes: 256 << 20,
  sharedBytes: 32 << 20,
};
