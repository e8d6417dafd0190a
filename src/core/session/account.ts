/**
 * What a stream has done so far: plain counters, for its last log line and for the operator. They prove that nothing
 * was forgotten, because after every step
 *
 *     offers    = liveMessages + foldedMessages + unwantedOffers + rereadOffers + dueOffsets + heldOffsets
 *     storeRows = waveMessages - foldedMessages + healedMessages + unwantedRows + rowsInHand
 *     wavesBegun = wavesComplete + waves
 */
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
  /** Offsets of watched topics that the hub handed over … */
  readonly offers: number;
  /** … of these the ones passed over, because their topic was removed, reset or had been delivered beyond them … */
  readonly unwantedOffers: number;
  /** … and the ones given up, because there were too many or they left the tail: the store was read instead. */
  readonly rereadOffers: number;
  /** Rows of the store that were read for this stream, and of these the ones passed over. */
  readonly storeRows: number;
  readonly unwantedRows: number;
  /** Messages taken by the wire, by where they came from: the tail in the live lane … */
  readonly liveMessages: number;
  /** … a wave, replayed or folded, and of these the folded … */
  readonly waveMessages: number;
  readonly foldedMessages: number;
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
  /** Offsets that waves hold now, and rows that were read for the next frames. */
  readonly heldOffsets: number;
  readonly rowsInHand: number;
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
  offers = 0;
  unwantedOffers = 0;
  rereadOffers = 0;
  storeRows = 0;
  unwantedRows = 0;
  liveMessages = 0;
  waveMessages = 0;
  foldedMessages = 0;
  healedMessages = 0;
  frames = 0;
  entryBytes = 0;
  pings = 0;
  pongs = 0;
  maxLagOffsets = 0;
}
