import type { ConformanceCase } from "./case";
import { OPENING } from "./cases/opening";

/** Every case there is, group by group. */
export const CASES: readonly ConformanceCase[] = [...OPENING];
