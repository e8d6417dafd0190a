import type { Finding } from "./play";
import type { MutateStep, Script, Step } from "./script";

/** Plays a script; what it finds is the shrinking's to keep. */
export type Play = (script: Script) => Promise<Finding | undefined>;

export interface ShrinkOptions {
  readonly play: Play;
  /** Scripts played at once. */
  readonly concurrency: number;
  /** Whether there is time for more. */
  readonly mayGoOn: () => boolean;
}

/** The shortest script found, and what it finds. */
export interface Shrunk {
  readonly script: Script;
  readonly finding: Finding;
}

/**
 * Makes a failing script shorter for as long as it fails: first by leaving out ever smaller runs of steps, then by
 * making single steps simpler. A script that fails only now and then may come out longer than it need be.
 */
export async function shrink(found: Shrunk, options: ShrinkOptions): Promise<Shrunk> {
  let best = found;
  for (let before = -1; before !== sizeOf(best.script) && options.mayGoOn(); ) {
    before = sizeOf(best.script);
    best = await leaveOut(best, options);
    best = await simplify(best, options);
  }
  return best;
}

/** How much there is to read in a script. */
export function sizeOf(script: Script): number {
  return script.reduce((sum, step) => sum + 10 + weightOf(step), 0);
}

function weightOf(step: Step): number {
  if (step.do === "publish") return step.topics.length + step.rounds + (step.large ? 1 : 0) + (step.awaited ? 0 : 1);
  if (step.do !== "mutate") return 0;
  const cursors = step.add.reduce((sum, { cursor }) => sum + (cursor.kind === "start" ? 1 : 2), 0);
  return cursors + step.remove.length + (step.historyOnly ? 1 : 0);
}

/** Leaves out half of the steps, a quarter, … one. */
async function leaveOut(found: Shrunk, options: ShrinkOptions): Promise<Shrunk> {
  let best = found;
  for (let run = Math.ceil(best.script.length / 2); run >= 1 && options.mayGoOn(); ) {
    const candidates: Script[] = [];
    for (let at = 0; at < best.script.length; at += run) candidates.push(best.script.toSpliced(at, run));
    const shorter = await firstThatFails(candidates, options);
    if (shorter === undefined) run = run === 1 ? 0 : Math.ceil(run / 2);
    else best = shorter;
    run = Math.min(run, best.script.length);
  }
  return best;
}

/** Makes one step after the other simpler. */
async function simplify(found: Shrunk, options: ShrinkOptions): Promise<Shrunk> {
  let best = found;
  for (let at = 0; at < best.script.length && options.mayGoOn(); ) {
    const step = best.script[at];
    const candidates = step === undefined ? [] : simpler(step).map((one) => best.script.with(at, one));
    const shorter = await firstThatFails(candidates, options);
    if (shorter === undefined) at += 1;
    else best = shorter;
  }
  return best;
}

/** The first candidate, in their order, that fails; several are played at once. */
async function firstThatFails(candidates: readonly Script[], options: ShrinkOptions): Promise<Shrunk | undefined> {
  for (let at = 0; at < candidates.length && options.mayGoOn(); at += options.concurrency) {
    const batch = candidates.slice(at, at + options.concurrency).filter((script) => script.length > 0);
    const findings = await Promise.all(batch.map(options.play));
    for (const [n, finding] of findings.entries()) {
      const script = batch[n];
      if (finding !== undefined && script !== undefined) return { script, finding };
    }
  }
  return undefined;
}

/** The same step with less in it, in every way that makes it smaller by one thing. */
function simpler(step: Step): readonly Step[] {
  switch (step.do) {
    case "mutate":
      return simplerMutates(step);
    case "publish": {
      const { topics, rounds, large, awaited } = step;
      const fewer = topics.length > 1 ? topics.map((_, at) => ({ ...step, topics: topics.toSpliced(at, 1) })) : [];
      const less = [1, Math.ceil(rounds / 2), rounds - 1].filter((count) => count > 0 && count < rounds);
      const smaller = large ? [{ ...step, large: false }] : [];
      const plain = awaited ? [] : [{ ...step, awaited: true }];
      return [...fewer, ...less.map((count) => ({ ...step, rounds: count })), ...smaller, ...plain];
    }
    case "wait":
    case "hold":
    case "read":
    case "halfClose":
    case "cancel":
    case "resume":
      return [];
    default:
      return step satisfies never;
  }
}

function simplerMutates(step: MutateStep): readonly Step[] {
  const { add, remove, historyOnly } = step;
  const fewerAdds = add.map((_, at) => ({ ...step, add: add.toSpliced(at, 1) }));
  const fewerRemoves = remove.map((_, at) => ({ ...step, remove: remove.toSpliced(at, 1) }));
  const plainer = add.flatMap((one, at) =>
    one.cursor.kind === "start" ? [] : [{ ...step, add: add.with(at, { ...one, cursor: { kind: "start" } as const }) }],
  );
  const subscribing = historyOnly ? [{ ...step, historyOnly: false }] : [];
  return [...fewerAdds, ...fewerRemoves, ...plainer, ...subscribing];
}
