/** What a run is told as: a table for people, lines of JSON for programs, JUnit XML for build servers. */

import { CASE_GROUPS, type ConformanceCase } from "./case";
import type { CaseResult, Verdict } from "./run";

/** How many cases came out in which way. */
export type Summary = Readonly<Record<Verdict, number>>;

const LABELS: Readonly<Record<Verdict, string>> = {
  passed: "ok",
  failed: "FAILED",
  differs: "differs",
  skipped: "skipped",
};

/** Strictly, what differs has failed. */
export function judgeStrictly(result: CaseResult): CaseResult {
  return result.verdict === "differs" ? { ...result, verdict: "failed" } : result;
}

export function summarise(results: readonly CaseResult[]): Summary {
  const count = (verdict: Verdict) => results.filter((result) => result.verdict === verdict).length;
  return { passed: count("passed"), failed: count("failed"), differs: count("differs"), skipped: count("skipped") };
}

/** The summary in one line. */
export function showSummary(summary: Summary, seconds: number): string {
  const { passed, failed, differs, skipped } = summary;
  const total = passed + failed + differs + skipped;
  const parts = [`${passed} passed`, `${failed} failed`, `${differs} differ by policy`, `${skipped} skipped`];
  return `${total} cases in ${seconds.toFixed(1)} s: ${parts.join(", ")}`;
}

/** All results, group by group; what did not pass is told in full. */
export function showTable(results: readonly CaseResult[]): string {
  const width = Math.max(0, ...results.map((result) => result.case.id.length));
  const lines: string[] = [];
  for (const group of CASE_GROUPS) {
    const ofGroup = results.filter((result) => result.case.group === group).toSorted(byId);
    if (ofGroup.length > 0) lines.push(group, ...ofGroup.flatMap((result) => linesOf(result, width)));
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** One result as a line of JSON. */
export function showJson({ case: one, verdict, ms, words }: CaseResult): string {
  const { id, group, rules, level, promise } = one;
  return JSON.stringify({ case: id, group, rules, level, promise, verdict, ms: Math.round(ms), words });
}

/** All results as JUnit XML: a suite per group. What differs by policy counts as skipped there. */
export function showJunit(results: readonly CaseResult[]): string {
  const suites = CASE_GROUPS.flatMap((group) => {
    const ofGroup = results.filter((result) => result.case.group === group).toSorted(byId);
    return ofGroup.length === 0 ? [] : [suiteOf(group, ofGroup)];
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="conformance">\n${suites.join("")}</testsuites>\n`;
}

/** The table of cases in docs/conformance.md. */
export function casesMarkdown(cases: readonly ConformanceCase[]): string {
  const sections = CASE_GROUPS.map((group) => {
    const rows = cases
      .filter((one) => one.group === group)
      .map(({ id, rules, level, promise, slow }) => {
        const kind = slow === true ? `${level}, slow` : level;
        return `| \`${id}\` | ${rules.join(", ")} | ${kind} | ${promise} |`;
      });
    return [`### ${group}`, "", "| case | rules | level | promise |", "|---|---|---|---|", ...rows].join("\n");
  });
  return sections.join("\n\n");
}

function linesOf({ case: one, verdict, ms, words }: CaseResult, width: number): readonly string[] {
  const head = `  ${LABELS[verdict].padEnd(8)}${one.id.padEnd(width + 2)}${one.rules.join(" ")}`;
  if (verdict === "passed") return [`${head}  ${Math.round(ms)} ms`];
  const why = words === undefined ? [] : [`          ${words}`];
  return verdict === "skipped" ? [head, ...why] : [head, `          ${one.promise}`, ...why];
}

function suiteOf(group: string, results: readonly CaseResult[]): string {
  const { failed, differs, skipped } = summarise(results);
  const counts = `tests="${results.length}" failures="${failed}" skipped="${differs + skipped}"`;
  const seconds = results.reduce((sum, { ms }) => sum + ms, 0) / 1_000;
  const cases = results.map(testcaseOf).join("");
  return `  <testsuite name="${attribute(group)}" ${counts} time="${seconds.toFixed(3)}">\n${cases}  </testsuite>\n`;
}

function testcaseOf({ case: one, verdict, ms, words = "" }: CaseResult): string {
  const name = attribute(`${one.id}: ${one.promise} (${one.rules.join(", ")})`);
  const head = `    <testcase classname="${attribute(one.group)}" name="${name}" time="${(ms / 1_000).toFixed(3)}"`;
  switch (verdict) {
    case "passed":
      return `${head}/>\n`;
    case "failed":
      return `${head}><failure message="${attribute(words)}"/></testcase>\n`;
    case "differs":
    case "skipped":
      return `${head}><skipped message="${attribute(`${LABELS[verdict]}: ${words}`)}"/></testcase>\n`;
    default:
      return verdict satisfies never;
  }
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["\n", "&#10;"],
]);

/** Text for an attribute; characters that XML cannot hold are left out. */
function attribute(text: string): string {
  const speakable = [...text].filter((char) => char >= " " || char === "\n" || char === "\t").join("");
  return speakable.replace(/[&<>"\n]/g, (char) => ENTITIES.get(char) ?? char);
}

function byId(a: CaseResult, b: CaseResult): number {
  return a.case.id < b.case.id ? -1 : 1;
}
