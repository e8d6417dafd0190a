/** What a stream has done so far: plain counters, for its last log line and for the operator. */
export interface SessionAccount {
  /** Topics subscribed, or being replayed by a history_only Mutate, now. */
  readonly topics: number;
  readonly mutates: number;
  readonly wavesBegun: number;
  readonly wavesComplete: number;
  /** Waves in flight now. */
  readonly waves: number;
  /** Reads of the store that were begun: first scans, repeated scans and healings. */
  readonly replays: number;
  /** How often the live lane fell out of the tail and was read from the store. */
  readonly heals: number;
  /** Messages taken by the wire, by where they came from: the tail in the live lane … */
  readonly liveMessages: number;
  /** … a wave, replayed or folded … */
  readonly waveMessages: number;
  /** … the store in the live lane. */
  readonly healedMessages: number;
  readonly frames: number;
  /** Bytes of entries taken by the wire. */
  readonly entryBytes: number;
  /** Pings we sent, and Pings we answered. */
  readonly pings: number;
  readonly pongs: number;
  /** Live offsets that wait for the wire now. */
  readonly dueOffsets: number;
  /** How far the live lane is behind the tail, in offsets: now, and at most so far. */
  readonly lagOffsets: number;
  readonly maxLagOffsets: number;
}

/** The part of {@link SessionAccount} that is counted rather than looked up. */
export class Counters {
  mutates = 0;
  wavesBegun = 0;
  wavesComplete = 0;
  replays = 0;
  heals = 0;
  liveMessages = 0;
  waveMessages = 0;
  healedMessages = 0;
  frames = 0;
  entryBytes = 0;
  pings = 0;
  pongs = 0;
  maxLagOffsets = 0;
}
