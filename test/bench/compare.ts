/** Two result files beside each other. */

import { type Figure, median } from "./support/question";
import { type Answer, describeMachine, readResults } from "./support/results";
import { formatNumber, measured, table, withUnit } from "./support/table";

/** Prints what changed from the first file to the second. */
export async function runCompare(paths: readonly string[]): Promise<void> {
  const [before, after] = await Promise.all(paths.map(readResults));
  if (before?.kind !== "answers" || after?.kind !== "answers" || paths.length !== 2) {
    throw new Error("compare wants two files of `bun run bench … --json FILE`");
  }
  console.log(`A: ${describeMachine(before.machine)}\nB: ${describeMachine(after.machine)}\n`);
  for (const answer of after.answers) {
    const old = before.answers.find(({ question }) => question === answer.question);
    if (old !== undefined) console.log(`## ${answer.question}\n\n${compareAnswers(old, answer)}\n`);
  }
}

/** A table of the figures that both have. */
export function compareAnswers(before: Answer, after: Answer): string {
  const rows = after.figures.flatMap((figure) => {
    const old = before.figures.find(({ name }) => name === figure.name);
    return old === undefined ? [] : [compareFigures(old, figure)];
  });
  return table(["figure", "A", "B", "B / A", "from – to", "verdict"], rows);
}

function compareFigures(before: Figure, after: Figure): readonly string[] {
  const a = measured(before.values);
  const b = measured(after.values);
  const lowest = Math.min(...b) / Math.max(...a);
  const highest = Math.max(...b) / Math.min(...a);
  return [
    after.name,
    withUnit(median(a), before.unit),
    withUnit(median(b), after.unit),
    formatNumber(median(b) / median(a)),
    a.length === 0 || b.length === 0 ? "" : `${formatNumber(lowest)} – ${formatNumber(highest)}`,
    verdict(lowest, highest, after.better),
  ];
}

/** A difference counts when every run of one is beyond every run of the other. */
function verdict(lowest: number, highest: number, better: Figure["better"]): string {
  if (!Number.isFinite(lowest) || !Number.isFinite(highest)) return "";
  if (lowest <= 1 && highest >= 1) return "within the noise";
  if (better === undefined) return highest < 1 ? "less" : "more";
  return lowest > 1 === (better === "more") ? "better" : "worse";
}
