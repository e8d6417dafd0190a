/**
 * Turns result files into the tables and plots of docs/benchmarks.md, between its markers; the prose around
 * them stays as it is.
 *
 *   bun test/bench/report.ts results.json [growth.json]
 */

import { join } from "node:path";
import { describeGrowth } from "./growth/curve";
import { plotCurve } from "./plot";
import { describeMachine, type Results, readResults } from "./support/results";
import { answerTable } from "./support/table";

const DOCS = join(import.meta.dir, "../../docs");

/** What stands between the markers of one name. */
export interface Section {
  readonly name: string;
  readonly text: string;
}

/** Replaces what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. @throws Error if a page lacks them. */
export function fillSections(page: string, sections: readonly Section[]): string {
  return sections.reduce((text, section) => {
    const begin = `<!-- ${section.name}:begin -->`;
    const end = `<!-- ${section.name}:end -->`;
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) throw new Error(`the page has no place for ${section.name}: wanted ${begin} and ${end}`);
    return `${text.slice(0, from + begin.length)}\n${section.text}\n${text.slice(to)}`;
  }, page);
}

/** The sections that results have something for. */
export function sectionsOf(results: Results): readonly Section[] {
  const where = `${describeMachine(results.machine)}, ${results.machine.at.slice(0, 10)}.`;
  switch (results.kind) {
    case "answers": {
      const { runs, effort } = results.options;
      const machine = `${where} ${runs} ${runs === 1 ? "run" : "runs"}${effort === "full" ? ", all cells" : ""}.`;
      const tables = results.answers.map(({ question, figures }) => ({ name: question, text: answerTable(figures) }));
      return [{ name: "machine", text: machine }, ...tables];
    }
    case "growth":
      return [
        { name: "growth-machine", text: where },
        ...results.curves.map((curve) => ({
          name: `growth-${plotName(curve.name)}`,
          text: `![${curve.name}](plots/${plotName(curve.name)}.svg)\n\n${describeGrowth(curve.points)}`,
        })),
      ];
    default:
      return results satisfies never;
  }
}

function plotName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z]+/g, "-");
}

if (import.meta.main) {
  const path = join(DOCS, "benchmarks.md");
  let page = await Bun.file(path).text();
  for (const file of process.argv.slice(2)) {
    const results = await readResults(file);
    page = fillSections(page, sectionsOf(results));
    if (results.kind !== "growth") continue;
    for (const curve of results.curves) {
      await Bun.write(join(DOCS, "plots", `${plotName(curve.name)}.svg`), plotCurve(curve));
    }
  }
  await Bun.write(path, page);
}
