/** Waiting for what real processes and sockets do in their own time. */

import { systemClock } from "../../src/base/clock";

const POLL_MS = 5;

/**
 * Resolves as soon as the condition holds.
 * @throws Error that names `what` when it does not within `boundMs` milliseconds.
 */
export async function until(what: string, boundMs: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = systemClock.now() + boundMs;
  while (!(await condition())) {
    if (systemClock.now() > end) throw new Error(`not within ${boundMs} ms: ${what}`);
    await systemClock.sleep(POLL_MS);
  }
}
