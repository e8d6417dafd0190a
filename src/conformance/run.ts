import { type Clock, systemClock } from "../base/clock";
import type { CaseGroup, ConformanceCase } from "./case";
import { CASES } from "./catalogue";
import { BLACK_BOX_LIMITS } from "./checker/black-box";
import { InvariantChecker } from "./checker/invariants";
import { type Moment, Placement } from "./checker/placement";
import { Violation } from "./checker/violation";
import { LongHistory } from "./client/long-history";
import { type NodeOptions, NodeUnderTest } from "./client/node";
import type { ProbeStream } from "./client/probe-stream";
import { learnKeepalive, lossOf, type Reach, Unreachable } from "./client/reach";
import { ConformanceFailure } from "./failure";

/** What came of a case. */
export type Verdict =
  | "passed"
  | "failed"
  /** A `strict` case that the server decides differently: labelled, not failed. */
  | "differs"
  /** It would last for several long keepalive intervals, and was not asked for. */
  | "skipped";

export interface CaseResult {
  readonly case: ConformanceCase;
  readonly verdict: Verdict;
  readonly ms: number;
  /** Why, unless it passed. */
  readonly words: string | undefined;
}

export interface RunOptions {
  /** Only the cases of these groups. */
  readonly groups?: readonly CaseGroup[];
  /** Only the cases with these ids. */
  readonly ids?: readonly string[];
  /** Runs what lasts several keepalive intervals also where those are long. */
  readonly slow?: boolean;
  /** Cases under way at once. */
  readonly concurrency?: number;
  /** How long a case waits for what has to come soon, in milliseconds. */
  readonly patienceMs?: number;
  readonly clock?: Clock;
  /** Ends the run: no further case is begun. */
  readonly signal?: AbortSignal;
  /** The cases to choose from. */
  readonly cases?: readonly ConformanceCase[];
}

/** Up to this keepalive interval, in milliseconds, slow cases are run without being asked for. */
const PATIENT_KEEPALIVE_MS = 5_000;

const DEFAULT_CONCURRENCY = 12;
const DEFAULT_PATIENCE_MS = 5_000;
/** A case may last so many keepalive intervals beyond the patience for its steps. */
const INTERVALS_PER_CASE = 8;
const STEPS_PER_CASE = 6;

/**
 * Runs cases against the server at `address` (http or https) and tells each result as soon as it is there, in no
 * particular order.
 * @throws Unreachable if the server cannot be spoken to, or not any more: what failed for that reason is not told.
 */
export async function* runConformance(address: string, options: RunOptions = {}): AsyncGenerator<CaseResult> {
  const { clock = systemClock, patienceMs = DEFAULT_PATIENCE_MS, concurrency = DEFAULT_CONCURRENCY } = options;
  const reach: Reach = { address, patienceMs, clock };
  const keepaliveMs = await learnKeepalive(reach);
  const waiting = [...chosen(options)];
  const longHistory = new LongHistory();
  const running = new Map<string, Promise<CaseResult>>();
  const { signal } = options;
  while (running.size > 0 || (waiting.length > 0 && signal?.aborted !== true)) {
    for (let next = waiting[0]; running.size < concurrency && next !== undefined; next = waiting[0]) {
      if (signal?.aborted === true) break;
      waiting.shift();
      const skip = next.slow === true && keepaliveMs > PATIENT_KEEPALIVE_MS && options.slow !== true;
      const result = skip
        ? skipped(next, keepaliveMs)
        : runCase(next, { address, keepaliveMs, patienceMs, clock, longHistory });
      running.set(next.id, Promise.resolve(result));
    }
    const done = await Promise.race(running.values());
    const loss = isWrong(done) ? await lossOf(reach) : undefined;
    if (loss !== undefined) {
      const ended = await Promise.all(running.values());
      yield* ended.filter((result) => !isWrong(result));
      throw new Unreachable(`${loss}; under way was ${[...running.keys()].join(", ")}`);
    }
    running.delete(done.case.id);
    yield done;
  }
}

function isWrong({ verdict }: CaseResult): boolean {
  return verdict === "failed" || verdict === "differs";
}

/** The cases that options choose, the slow ones first, so that the others run beside them. */
export function chosen({ groups, ids, cases = CASES }: RunOptions): readonly ConformanceCase[] {
  const wanted = cases.filter(
    (one) => (groups === undefined || groups.includes(one.group)) && (ids === undefined || ids.includes(one.id)),
  );
  return [...wanted.filter(({ slow }) => slow === true), ...wanted.filter(({ slow }) => slow !== true)];
}

/** Runs one case, then waits until its streams are at rest and holds each against the rules. */
export async function runCase(one: ConformanceCase, setting: NodeOptions): Promise<CaseResult> {
  const { clock, keepaliveMs } = setting;
  const patienceMs = setting.patienceMs * (one.patience ?? 1);
  const begun = clock.now();
  using node = new NodeUnderTest({ ...setting, patienceMs });
  const result = (words: string | undefined): CaseResult => {
    const failed = one.level === "must" ? "failed" : "differs";
    return { case: one, verdict: words === undefined ? "passed" : failed, ms: clock.now() - begun, words };
  };
  const allowanceMs = STEPS_PER_CASE * patienceMs + (one.slow === true ? INTERVALS_PER_CASE * keepaliveMs : 0);
  try {
    await within(clock, allowanceMs, one.run(node));
    await settle(node);
    return result(undefined);
  } catch (error) {
    // What breaks a rule says more than that something else did not come.
    const broken = error instanceof ConformanceFailure ? brokenRule(node) : undefined;
    return result([wordsOf(error), ...(broken === undefined ? [] : [`and ${broken}`])].join("; "));
  }
}

/** Waits until all streams of a case are at rest. @throws Violation for the rule that one of them breaks. */
export async function settle(node: NodeUnderTest): Promise<void> {
  const { clock } = node;
  const until = clock.now() + node.patienceMs;
  let looked = -1;
  while (clock.now() < until) {
    const heard = entriesOf(node);
    if (heard !== looked && firstViolation(node, "settling") === undefined) return;
    looked = heard;
    await clock.sleep(20);
  }
  const broken = firstViolation(node, "at rest");
  if (broken !== undefined) throw broken;
}

/** The first rule that a stream of the case breaks, if any. */
function firstViolation(node: NodeUnderTest, moment: Moment): Violation | undefined {
  for (const stream of node.streams) {
    const found = violationOf(node, stream, stream.cancelled ? "under way" : moment);
    if (found !== undefined) return found;
  }
  return undefined;
}

function violationOf(node: NodeUnderTest, stream: ProbeStream, moment: Moment): Violation | undefined {
  if (stream.unreadable !== undefined) return new Violation("R-4", stream.unreadable);
  const truth = node.ledger.truth();
  const policy = { mergedWaves: false };
  const checker = new InvariantChecker(truth, BLACK_BOX_LIMITS, node.keepaliveMs, policy);
  return new Placement(stream.log, truth, checker).violation(moment);
}

function entriesOf(node: NodeUnderTest): number {
  return node.streams.reduce((sum, { log }) => sum + log.entries.length, 0);
}

function brokenRule(node: NodeUnderTest): string | undefined {
  return firstViolation(node, "under way")?.message;
}

function skipped(one: ConformanceCase, keepaliveMs: number): CaseResult {
  const words = `lasts several keepalive intervals of ${keepaliveMs} ms: --slow runs it`;
  return { case: one, verdict: "skipped", ms: 0, words };
}

async function within(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  using _timer = clock.after(ms, () => reject(new ConformanceFailure(`the case to end within ${ms} ms`, "no end")));
  await Promise.race([work, promise]);
}

function wordsOf(error: unknown): string {
  if (error instanceof ConformanceFailure || error instanceof Violation) return error.message;
  return error instanceof Error ? `the case itself failed: ${error.stack ?? error.message}` : String(error);
}
