/**
 * Runs fault tests many times in a row and prints their accounts as a table.
 *
 *   bun scripts/faults.ts [number|all] [times]
 *
 * `all` and once, unless told. The exit code is 1 if any run failed; what failed is printed as it happens.
 */

import { Glob } from "bun";

/** What a drill prints as its account, by the name of the figure. */
type Account = Readonly<Record<string, number | string>>;

interface Runs {
  readonly path: string;
  passed: number;
  failed: number;
  readonly accounts: Account[];
}

const TIMEOUT_MS = 600_000;

const [which = "all", timesText = "1"] = process.argv.slice(2);
const times = Number(timesText);
if (!Number.isInteger(times) || times < 1 || !(which === "all" || /^\d+$/.test(which))) {
  console.error(`expected the number of a fault or "all", and how many times; got ${process.argv.slice(2).join(" ")}`);
  process.exit(1);
}
const prefix = which === "all" ? "" : `${which.padStart(2, "0")}-`;
const paths = [...new Glob(`test/faults/${prefix}*.test.ts`).scanSync(".")].sort();
if (paths.length === 0) {
  console.error(`there is no fault number ${which}: see test/faults`);
  process.exit(1);
}

const all: Runs[] = [];
for (const path of paths) {
  const runs: Runs = { path, passed: 0, failed: 0, accounts: [] };
  all.push(runs);
  for (let time = 1; time <= times; time++) {
    const { code, said } = await run(path);
    if (code === 0) runs.passed += 1;
    else runs.failed += 1;
    runs.accounts.push(...accountsIn(said));
    console.log(`${path} ${time} of ${times}: ${code === 0 ? "green" : "RED"}`);
    if (code !== 0) console.log(said);
  }
}
console.log(`\n${table(all)}`);
process.exit(all.some(({ failed }) => failed > 0) ? 1 : 0);

async function run(path: string): Promise<{ readonly code: number; readonly said: string }> {
  const child = Bun.spawn([process.execPath, "test", `--timeout=${TIMEOUT_MS}`, `./${path}`], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, said: `${out}${err}` };
}

function accountsIn(said: string): readonly Account[] {
  return [...said.matchAll(/^fault (\{.*\})$/gm)].map(([, json = "{}"]) => JSON.parse(json));
}

/** One row a drill: a file may hold several. */
function table(runs: readonly Runs[]): string {
  const lines = ["| fault | green | figures, from – to |", "| --- | --- | --- |"];
  for (const { path, passed, failed, accounts } of runs) {
    const titles = new Set(accounts.map(({ title }) => title));
    const green = `${passed} of ${passed + failed}`;
    if (titles.size === 0) lines.push(`| ${path} | ${green} | |`);
    for (const title of titles) {
      const ofTitle = accounts.filter((account) => account["title"] === title);
      lines.push(`| ${ofTitle[0]?.["fault"]} ${title} | ${green} | ${figures(ofTitle)} |`);
    }
  }
  return lines.join("\n");
}

function figures(accounts: readonly Account[]): string {
  const names = new Set(accounts.flatMap((account) => Object.keys(account)));
  for (const name of ["fault", "title", "seed"]) names.delete(name);
  return [...names].map((name) => `${name} ${range(accounts.map((account) => account[name] ?? ""))}`).join(", ");
}

function range(values: readonly (number | string)[]): string {
  const numbers = values.filter((value) => typeof value === "number");
  if (numbers.length < values.length) return [...new Set(values)].join(" / ");
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return low === high ? `${low}` : `${low} – ${high}`;
}
