import type { ConformanceCase } from "./case";
import { ACKS } from "./cases/acks";
import { HALF_CLOSE } from "./cases/half-close";
import { HISTORY_ONLY } from "./cases/history-only";
import { HOSTILE } from "./cases/hostile";
import { IDENTITIES } from "./cases/identities";
import { IDS } from "./cases/ids";
import { LEGACY } from "./cases/legacy";
import { LIMITS } from "./cases/limits";
import { LIVENESS } from "./cases/liveness";
import { MUTATIONS } from "./cases/mutations";
import { MUTATIONS_MID_WAVE } from "./cases/mutations-mid-wave";
import { OPENING } from "./cases/opening";
import { SEAM } from "./cases/seam";
import { TOPICS } from "./cases/topics";
import { UNARY_QUERY } from "./cases/unary-query";
import { UNARY_SEND } from "./cases/unary-send";
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
  ...MUTATIONS_MID_WAVE,
  ...HISTORY_ONLY,
  ...LIVENESS,
  ...HALF_CLOSE,
  ...LIMITS,
  ...UNARY_SEND,
  ...UNARY_QUERY,
  ...IDENTITIES,
  ...LEGACY,
  ...HOSTILE,
];
