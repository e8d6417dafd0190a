/**
 * Answers the benchmark questions, as a table and, with --json, as a file.
 *
 *   bun run bench [question…] [--runs N] [--address HOST:PORT] [--json FILE]
 */

import { execSync } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { latency } from "./latency/question";
import { live } from "./live/question";
import { type Figure, median } from "./support/question";

const QUESTIONS = [live, latency];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "3" },
    address: { type: "string" },
    json: { type: "string" },
  },
});
const unknown = positionals.filter((name) => !QUESTIONS.some((question) => question.name === name));
if (unknown.length > 0) {
  console.error(`unknown question: ${unknown.join(", ")}; there are ${QUESTIONS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  bun: Bun.version,
  commit: execSync("git rev-parse --short HEAD").toString().trim(),
};
const chosen = QUESTIONS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const answers: { readonly question: string; readonly figures: readonly Figure[] }[] = [];
console.log(`${machine.cores} cores of ${machine.cpu}, bun ${machine.bun}, commit ${machine.commit}`);
for (const question of chosen) {
  console.log(`\n## ${question.name}\n${question.asks}\n`);
  const figures = await question.run({ address: values.address, runs: Number(values.runs), effort: "normal" });
  answers.push({ question: question.name, figures });
  console.log("| figure | median | spread | reference | ratio | reach |\n|---|---|---|---|---|---|");
  for (const figure of figures) console.log(row(figure));
}
if (values.json !== undefined) {
  await Bun.write(values.json, `${JSON.stringify({ machine, runs: Number(values.runs), answers }, undefined, 2)}\n`);
}

function row(figure: Figure): string {
  const mid = median(figure.values);
  const reference = figure.reference === undefined ? Number.NaN : median(figure.reference.values);
  const cells = [
    figure.name,
    `${format(mid)} ${figure.unit}`,
    `${format(Math.min(...figure.values))} – ${format(Math.max(...figure.values))}`,
    figure.reference === undefined ? "" : `${format(reference)} (${figure.reference.name})`,
    format(mid / reference),
    figure.reach ?? "",
  ];
  return `| ${cells.join(" | ")} |`;
}

/** Three significant digits, thousands apart. */
function format(value: number): string {
  if (Number.isNaN(value)) return "";
  if (value >= 1_000)
    return Math.round(Number(value.toPrecision(3)))
      .toLocaleString("en")
      .replaceAll(",", " ");
  return `${Number(value.toPrecision(3))}`;
}
