/** Answers the benchmark questions, as a table and, with --json, as a file. */

import { parseArgs } from "node:util";
import { messageOf } from "../../src/base/thrown";
import { runCompare } from "./compare";
import { runGrowth } from "./growth/run";
import { QUESTIONS } from "./questions";
import { describeProfiles, profileInto } from "./support/profile";
import type { RunOptions } from "./support/question";
import { type Answer, describeMachine, type Results, readMachine, writeResults } from "./support/results";
import { answerTable } from "./support/table";

const USAGE = `Usage: bun run bench [question…] [--runs N | --quick] [--full] [--address HOST:PORT[,HOST:PORT]] [--json FILE] [--profile DIR]
       bun run bench growth [curve…] [--quick] [--json FILE]
       bun run bench compare A.json B.json
       bun run bench profile DIR

Questions: ${QUESTIONS.map(({ name }) => name).join(", ")}; none named: all of them, below 15 minutes.
docs/benchmarks.md tells how to read what comes out.`;

const { values, positionals } = readArguments();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const runs = values.quick ? 1 : Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) refuse(`--runs wants a whole number of at least 1, found ${values.runs}`);

const [first, ...rest] = positionals;
if (values.profile !== undefined) profileInto(values.profile);
if (first === "compare") await runCompare(rest);
else if (first === "growth") await runGrowth({ names: rest, json: values.json, quick: values.quick });
else if (first === "profile") console.log(describeProfiles(rest[0] ?? refuse("profile wants a directory")));
else await answer({ address: values.address, runs, effort: values.full ? "full" : "normal" }, positionals);

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        runs: { type: "string", default: "3" },
        quick: { type: "boolean", default: false },
        full: { type: "boolean", default: false },
        address: { type: "string" },
        json: { type: "string" },
        profile: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return refuse(`${messageOf(error)}\n\n${USAGE}`);
  }
}

async function answer(options: RunOptions, names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !QUESTIONS.some((question) => question.name === name));
  if (unknown.length > 0) {
    const known = [...QUESTIONS.map(({ name }) => name), "growth", "compare", "profile"].join(", ");
    refuse(`unknown question: ${unknown.join(", ")}; there are ${known}`);
  }
  const machine = readMachine();
  console.log(describeMachine(machine));
  const answers: Answer[] = [];
  for (const question of QUESTIONS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    console.log(`\n## ${question.name}\n${question.asks}\n`);
    const started = performance.now();
    const figures = await question.run(options);
    const seconds = Math.round((performance.now() - started) / 1_000);
    answers.push({ question: question.name, asks: question.asks, seconds, figures });
    console.log(`${answerTable(figures)}\n\n${seconds} s`);
    // After each question: what was measured is not lost with one that fails.
    const results: Results = { kind: "answers", machine, options, answers };
    if (values.json !== undefined) await writeResults(values.json, results);
  }
  if (values.profile !== undefined) console.log(`\n${describeProfiles(values.profile)}`);
}

function refuse(words: string): never {
  console.error(words);
  process.exit(2);
}
