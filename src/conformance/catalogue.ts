import type { ConformanceCase } from "./case";
import { ACKS } from "./cases/acks";
import { HALF_CLOSE } from "./cases/half-close";
import { HISTORY_ONLY } from "./cases/history-only";
import { IDS } from "./cases/ids";
import { LIMITS } from "./cases/limits";
import { LIVENESS } from "./cases/liveness";
import { MUTATIONS } from "./cases/mutations";
import { OPENING } from "./cases/opening";
import { SEAM } from "./cases/seam";
import { TOPICS } from "./cases/topics";
import { WAVES } from "./cases/waves";

/** Every case there is, group by group. */
export const CASES: readonly ConformanceCase[] = [
  ...OPENING,
  ...ACKS,
  ...IDS,
  ...TOPICS,
  ...WAVES,
  ...SEAM,
  ...MUTATIONS,
  ...HISTORY_ONLY,
  ...LIVENESS,
  ...HALF_CLOSE,
  ...LIMITS,
];
