import type { Io } from "../base/process";
import { EXIT, tellTrouble } from "./exit";

/** Says that the node was there and is not any more; returns the exit code. What it had answered is reported before. */
export function tellLoss(io: Io, address: string, why: string): number {
  const todo = "see why it ended, in its log; what it was doing at the time is named above, the rest is reported";
  tellTrouble(io, { what: `the node at ${address} became unreachable in the middle`, why, todo });
  return EXIT.usage.code;
}
