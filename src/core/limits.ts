/** What one stream may ask for. Generous on purpose: a well-behaved client never meets one. */
export interface StreamLimits {
  /** Topics subscribed, or being replayed for history only, at once. */
  readonly topics: number;
  /** Adds in one Mutate, counted before duplicates coalesce. */
  readonly addsPerMutate: number;
  /** Waves in flight at once. */
  readonly waves: number;
  /** Sustained Mutates per second, and how many may come at once. */
  readonly mutatesPerSecond: number;
  readonly mutateBurst: number;
  /** Sustained client Pings per second, and how many may come at once. */
  readonly pingsPerSecond: number;
  readonly pingBurst: number;
  /** Offsets of live messages a stream may have due (and as many held per wave) before it is healed from the store. */
  readonly dueOffsets: number;
  /** Size at which a frame is sent rather than filled further, in bytes of entries. */
  readonly targetFrameBytes: number;
}

export const DEFAULT_LIMITS: StreamLimits = {
  topics: 1_000_000,
  addsPerMutate: 100_000,
  waves: 256,
  mutatesPerSecond: 1_000,
  mutateBurst: 10_000,
  pingsPerSecond: 10,
  pingBurst: 100,
  dueOffsets: 4_096,
  targetFrameBytes: 1 << 20,
};

/** The highest cursor that can be asked for: 2^63 - 1, the largest id Postgres can hold. */
export const MAX_CURSOR = (1n << 63n) - 1n;
