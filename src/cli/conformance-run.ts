import { writeFile } from "node:fs/promises";
import { type Mistake, nearest } from "../base/args";
import { nodeAddress } from "../base/args-values";
import { systemClock as clock } from "../base/clock";
import type { Io } from "../base/process";
import { messageOf } from "../base/thrown";
import type { ConformanceCase } from "../conformance/case";
import { CASES } from "../conformance/catalogue";
import { Unreachable } from "../conformance/client/reach";
import { judgeStrictly, showJson, showJunit, showSummary, showTable, summarise } from "../conformance/report";
import { type CaseResult, chosen, type RunOptions, runConformance } from "../conformance/run";
import type { ConformanceOptions } from "./conformance";
import { runFuzz } from "./conformance-fuzz";
import { tellLoss } from "./conformance-loss";
import { EXIT, interruptedCode, tellMistakes, tellTrouble } from "./exit";

/** Runs the kit, or lists its cases; returns the exit code. */
export async function runCases(options: ConformanceOptions, words: readonly string[], io: Io): Promise<number> {
  const run = runOptions(options, io);
  const [word = ""] = words;
  const address = nodeAddress.parse(word)?.value;
  const mistakes = [...mistakesOfCases(run), ...(options.list ? [] : mistakesOfAddress(address, word))];
  if (mistakes.length > 0) return tellMistakes(io, "conformance", mistakes);
  if (address === undefined || options.list) {
    for (const one of chosen(run)) io.stdout.write(`${options.json ? asJson(one) : asLine(one)}\n`);
    return EXIT.ok.code;
  }
  const begun = clock.now();
  try {
    if (options.fuzz !== undefined) {
      const { seed, json } = options;
      return await runFuzz({ address, seconds: options.fuzz, seed, json }, io);
    }
    const { results, loss } = await collect(address, options, run, io);
    if (options.junit !== undefined && !(await writeJunit(options.junit, results, io))) return EXIT.failed.code;
    if (!options.json) io.stdout.write(showTable(results));
    const summary = summarise(results);
    io.stderr.write(`${showSummary(summary, (clock.now() - begun) / 1_000)}\n`);
    if (loss !== undefined) return tellLoss(io, address, loss);
    if (io.signal.aborted) return interruptedCode(io.signal);
    return summary.failed > 0 ? EXIT.failed.code : EXIT.ok.code;
  } catch (error) {
    return tellFailure(io, address, error);
  }
}

interface Collected {
  readonly results: readonly CaseResult[];
  /** Why the node could not be spoken to any more; `undefined` if it could to the end. */
  readonly loss: string | undefined;
}

/** @throws Unreachable if nothing came of the node at all. */
async function collect(address: string, options: ConformanceOptions, run: RunOptions, io: Io): Promise<Collected> {
  const results: CaseResult[] = [];
  let loss: string | undefined;
  try {
    for await (const found of runConformance(address, run)) {
      const result = options.strict ? judgeStrictly(found) : found;
      results.push(result);
      if (options.json) io.stdout.write(`${showJson(result)}\n`);
      if (io.stderr.isTerminal) io.stderr.write(`\r${results.length} cases`);
    }
  } catch (error) {
    if (!(error instanceof Unreachable) || results.length === 0) throw error;
    loss = error.message;
  }
  if (io.stderr.isTerminal) io.stderr.write("\r");
  return { results, loss };
}

/** Whether that succeeded. */
async function writeJunit(path: string, results: readonly CaseResult[], io: Io): Promise<boolean> {
  try {
    await writeFile(path, showJunit(results));
    return true;
  } catch (error) {
    const why = messageOf(error);
    tellTrouble(io, { what: "the report could not be written", why, todo: "check the file given by --junit" });
    return false;
  }
}

function runOptions({ group, case: ids, slow, concurrency, patience }: ConformanceOptions, io: Io): RunOptions {
  return {
    ...(group !== undefined && { groups: group }),
    ...(ids !== undefined && { ids: ids.split(",").map((id) => id.trim()) }),
    slow,
    concurrency,
    patienceMs: patience * 1_000,
    signal: io.signal,
  };
}

function mistakesOfAddress(address: string | undefined, word: string): readonly Mistake[] {
  if (address !== undefined) return [];
  const came = word === "" ? "none" : JSON.stringify(word);
  return [{ where: "URL", wanted: nodeAddress.wanted, came, todo: "Write 127.0.0.1:5556, for example." }];
}

function mistakesOfCases(run: RunOptions): readonly Mistake[] {
  const known = CASES.map(({ id }) => id);
  const unknown = (run.ids ?? []).filter((id) => !known.includes(id));
  const mistakes = unknown.map((id): Mistake => {
    const near = nearest(id, known);
    const todo = near === undefined ? "See --list for the cases there are." : `Did you mean ${near}?`;
    return { where: "--case", wanted: "the id of a case", came: JSON.stringify(id), todo };
  });
  if (mistakes.length > 0 || chosen(run).length > 0) return mistakes;
  const todo = "Leave one of them out.";
  return [{ where: "--group and --case", wanted: "a case of the group", came: "one of another", todo }];
}

function asJson({ id, group, rules, level, promise }: ConformanceCase): string {
  return JSON.stringify({ case: id, group, rules, level, promise });
}

function asLine({ id, group, rules, level, promise }: ConformanceCase): string {
  return `${id}  [${group}; ${rules.join(" ")}; ${level}]  ${promise}`;
}

function tellFailure(io: Io, address: string, error: unknown): number {
  const why = messageOf(error);
  if (error instanceof Unreachable) {
    const todo =
      "start it, or correct the address; it has to be the gRPC port (HTTP/2); for TLS, NODE_EXTRA_CA_CERTS may name an authority";
    tellTrouble(io, { what: `cannot speak to a node at ${address}`, why, todo });
    return EXIT.usage.code;
  }
  tellTrouble(io, { what: "the kit itself failed", why, todo: "report it, with the command line" });
  return EXIT.failed.code;
}
