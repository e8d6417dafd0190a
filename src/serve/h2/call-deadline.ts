import { Code } from "@connectrpc/connect";
import type { Clock } from "../../base/clock";
import type { Status } from "../errors";

/** The longest time a timer can wait for, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Tells with which status a call is over, once the time is up that its client gave it.
 * @param timeoutMs that time; `undefined`: for ever
 */
export function startDeadline(
  clock: Clock,
  timeoutMs: number | undefined,
  onOver: (status: Status) => void,
): Disposable | undefined {
  if (timeoutMs === undefined || timeoutMs > MAX_TIMER_MS) return undefined;
  const message = `the ${timeoutMs} ms that the client gave this call are over`;
  return clock.after(timeoutMs, () => onOver({ code: Code.DeadlineExceeded, message }));
}
