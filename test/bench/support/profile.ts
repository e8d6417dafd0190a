/**
 * CPU profiles of the nodes under load: `bun run bench QUESTION --profile DIR` leaves them in a directory, together with
 * when each load ran, and shows for each load which functions the node was in.
 */

import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";

const ROOT = join(import.meta.dir, "../../..");
/** Names the directory, for whoever starts a node or a load in this process. */
const DIRECTORY = "BENCH_PROFILE_DIR";
const LOADS = "loads.jsonl";
/** Time between two samples of a thread that is busy, in microseconds; it becomes somewhat more. */
const INTERVAL_US = 250;
/** Functions in a table. */
const LINES = 25;
/** Loads during which a process was seen less often are left out: it had nothing to do with them. */
const FEWEST_SAMPLES = 50;

/** What `bun --cpu-prof` writes, as far as it is used here. A process that waits is not sampled. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Ids of nodes, one a sample. */
  readonly samples: readonly number[];
  /** Before each sample, in microseconds. */
  readonly timeDeltas: readonly number[];
  /** Microseconds since 1970. */
  readonly startTime: number;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** When a load ran, in milliseconds since 1970. */
export interface Span {
  readonly load: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Samples of a function: where it was running itself, and where it or something that it called was. */
export interface FunctionTime {
  readonly name: string;
  readonly self: number;
  readonly total: number;
}

/** From now on nodes are profiled. */
export function profileInto(directory: string): void {
  mkdirSync(directory, { recursive: true });
  process.env[DIRECTORY] = directory;
}

/** What makes bun profile a program, put before the program's name; nothing unless {@link profileInto} was called. */
export function profileFlags(): readonly string[] {
  const directory = process.env[DIRECTORY];
  return directory === undefined
    ? []
    : ["--cpu-prof", `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${INTERVAL_US}`];
}

/** Notes when a load ran, if nodes are profiled. */
export function noteLoad(span: Span): void {
  const directory = process.env[DIRECTORY];
  if (directory !== undefined) appendFileSync(join(directory, LOADS), `${JSON.stringify(span)}\n`);
}

/** The tables of all profiles of a directory, for each load that one saw anything of. */
export function describeProfiles(directory: string): string {
  const loads = join(directory, LOADS);
  const lines = existsSync(loads) ? readFileSync(loads, "utf8").trim().split("\n") : [];
  const spans: readonly Span[] = lines.map((line) => JSON.parse(line));
  const files = readdirSync(directory).filter((name) => name.endsWith(".cpuprofile"));
  return files
    .flatMap((file) => {
      const profile: CpuProfile = JSON.parse(readFileSync(join(directory, file), "utf8"));
      return spans.map((span) => describeSpan(basename(file, ".cpuprofile"), profile, span));
    })
    .filter((table) => table !== undefined)
    .join("\n\n");
}

/** The functions that a profile shows in a span, those that were running themselves most often first. */
export function functionTimes(profile: CpuProfile, span: Span): readonly FunctionTime[] {
  const { nodes, samples, timeDeltas, startTime } = profile;
  const names = new Map(nodes.map((node) => [node.id, nameOf(node)]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const times = new Map<string, { name: string; self: number; total: number }>();
  const timeOf = (name: string) => {
    const time = times.get(name) ?? { name, self: 0, total: 0 };
    times.set(name, time);
    return time;
  };
  let us = startTime;
  for (const [nth, sample] of samples.entries()) {
    us += timeDeltas[nth] ?? 0;
    if (us < span.fromMs * 1_000 || us > span.toMs * 1_000) continue;
    const stack = new Set<string>();
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) stack.add(names.get(id) ?? "?");
    for (const name of stack) timeOf(name).total += 1;
    timeOf(names.get(sample) ?? "?").self += 1;
  }
  return [...times.values()].filter(({ self }) => self > 0).sort((a, b) => b.self - a.self);
}

function describeSpan(process: string, profile: CpuProfile, span: Span): string | undefined {
  const times = functionTimes(profile, span);
  const samples = times.reduce((sum, { self }) => sum + self, 0);
  if (samples < FEWEST_SAMPLES) return undefined;
  const percent = (count: number) => ((count / samples) * 100).toFixed(1).padStart(6);
  return [
    `${process}: ${span.load}`,
    `${samples} samples; percent of them in a function itself, and with all that it called`,
    ...times.slice(0, LINES).map(({ name, self, total }) => `${percent(self)} ${percent(total)}  ${name}`),
  ].join("\n");
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  return `${name}  ${relative(ROOT, url.replace("file://", ""))}:${lineNumber + 1}`;
}
