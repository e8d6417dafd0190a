import type { StreamLimits } from "../../core/limits";

/** Limits that no case comes near: what a server's own are is its choice, and looked at by cases of their own. */
export const BLACK_BOX_LIMITS: StreamLimits = {
  topics: Number.MAX_SAFE_INTEGER,
  addsPerMutate: Number.MAX_SAFE_INTEGER,
  waves: Number.MAX_SAFE_INTEGER,
  mutatesPerSecond: Number.MAX_SAFE_INTEGER,
  mutateBurst: Number.MAX_SAFE_INTEGER,
  pingsPerSecond: Number.MAX_SAFE_INTEGER,
  pingBurst: Number.MAX_SAFE_INTEGER,
  dueOffsets: Number.MAX_SAFE_INTEGER,
  targetFrameBytes: Number.MAX_SAFE_INTEGER,
};
