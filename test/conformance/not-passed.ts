/** What the kit found, told so that a machine which stands still is not taken for a node that breaks a rule. */

import type { ConformanceCase } from "../../src/conformance/case";
import { CASES } from "../../src/conformance/catalogue";
import { runConformance } from "../../src/conformance/run";
import { PATIENCE_MS } from "../support/until";

/** What came of a case, wherever it was run. */
export interface Outcome {
  readonly id: string;
  readonly verdict: string;
  readonly words?: string | undefined;
}

/** So often in all may a case be run that judges by time. */
const ATTEMPTS = 3;

/**
 * Runs all cases and returns what did not pass, in words. Those that last keepalive intervals, and those whose stream was
 * reaped, are run again, alone, when they fail: who stands still for as long as an interval cannot answer in time. All others have
 * to pass at once.
 * @param run runs all cases, or those with some ids
 * @throws Error when it has left any out
 */
export async function notPassed(
  run: (ids?: readonly string[]) => Promise<readonly Outcome[]>,
): Promise<readonly string[]> {
  const all = await run();
  if (all.length !== CASES.length) throw new Error(`${all.length} of ${CASES.length} cases were run`);
  let failed = failedOf(all);
  for (let attempt = 1; attempt < ATTEMPTS && failed.length > 0 && failed.every(isByTime); attempt++) {
    failed = failedOf(await run(failed.map(({ id }) => id)));
  }
  return failed.map(({ id, words }) => `${id}: ${words}`);
}

/** Base URLs of a server whose keepalive interval is short, and of one that nobody can be too slow for. */
export interface Servers {
  readonly hasty: string;
  readonly patient: string;
}

/** Runs what lasts keepalive intervals against the one server and all else against the other, by their ids or all there is. */
export async function outcomesAt({ hasty, patient }: Servers, ids?: readonly string[]): Promise<readonly Outcome[]> {
  const wanted = CASES.filter(({ id }) => ids === undefined || ids.includes(id));
  const outcomes = await Promise.all([
    runAt(
      hasty,
      wanted.filter(({ slow }) => slow === true),
    ),
    runAt(
      patient,
      wanted.filter(({ slow }) => slow !== true),
    ),
  ]);
  return outcomes.flat();
}

async function runAt(address: string, cases: readonly ConformanceCase[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for await (const result of runConformance(address, { patienceMs: PATIENCE_MS, cases })) {
    outcomes.push({ id: result.case.id, verdict: result.verdict, words: result.words });
  }
  return outcomes;
}

function failedOf(outcomes: readonly Outcome[]): readonly Outcome[] {
  return outcomes.filter(({ verdict }) => verdict !== "passed");
}

function isByTime({ id, words = "" }: Outcome): boolean {
  return /R-43|deadlineExceeded/.test(words) || CASES.some((one) => one.id === id && one.slow === true);
}
