/** What checking costs, for questions. */

import { flags, runJson } from "../support/processes";

/** Microseconds of CPU for one, and for its reference. */
export interface Cost {
  readonly microseconds: number;
  readonly reference: number;
}

export interface Validation {
  readonly identityUpdate: Cost;
  readonly keyPackage: Cost;
  readonly groupMessage: Cost;
}

export function validation(seconds: number): Promise<Validation> {
  return runJson<Validation>(["test/bench/validation/load.ts", ...flags({ seconds })]);
}
