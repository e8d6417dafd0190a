/** Waiting for what real processes and sockets do in their own time. */

import { systemClock } from "../../src/base/clock";

/**
 * How long what has to happen may take, in milliseconds, on a machine that is many times slower than ours, shared, and
 * now and then stands still for seconds. It costs nothing where it happens. The runner's own limit per test
 * (scripts/test.ts) is longer, so that what was waited for in vain is named.
 */
export const PATIENCE_MS = 60_000;

/**
 * How long what has to happen at once may take, in milliseconds: where the protocol gives a second, more for a machine that
 * stands still, and less than what a node would take that notices by silence only (intervals of 30 s).
 */
export const AT_ONCE_MS = 15_000;

/** It is looked again after this, and ever more seldom: after a twentieth of the time waited so far, up to … */
const MIN_PAUSE_MS = 2;
const PAUSES_PER_WAIT = 20;
/** … this. What is waited for has the machine to itself. */
const MAX_PAUSE_MS = 50;

/**
 * Resolves as soon as the condition holds.
 * @param withinMs only where the bound itself is promised: then so that what breaks the promise exceeds it by far
 * @throws Error that names `what` when it does not hold in time
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  withinMs = PATIENCE_MS,
): Promise<void> {
  const begunAt = systemClock.now();
  while (!(await condition())) {
    const waitedMs = systemClock.now() - begunAt;
    if (waitedMs > withinMs) throw new Error(`waited ${withinMs} ms for ${what}`);
    await systemClock.sleep(Math.min(Math.max(MIN_PAUSE_MS, waitedMs / PAUSES_PER_WAIT), MAX_PAUSE_MS));
  }
}
