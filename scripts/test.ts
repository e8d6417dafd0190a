/**
 * Runs the tests and closes with one line that counts them.
 *
 *   bun scripts/test.ts [--slow] [patterns or flags of `bun test`…]
 *
 * Files named `*.slow.test.ts` run with --slow only, and then alone. Without patterns and flags the others run in two processes at
 * the same time, because those that start programs wait most of the time; what the second one says is shown after the first.
 */

import { Glob } from "bun";

/**
 * Per test and hook, in milliseconds: for what hangs, and not for what a machine that is many times slower than ours has
 * not done yet. A test waits for less by itself, to say for what (test/support/until.ts).
 */
const PATIENCE_MS = 240_000;
const SLOW_PATIENCE_MS = 600_000;
/** Files that start programs and wait for them. */
const PROGRAMS = /\.e2e\.test\.ts$|^\.\/test\/bench\//;

interface Counts {
  readonly pass: number;
  readonly fail: number;
  readonly skip: number;
}

/** What came of one process of `bun test`. */
interface Lane {
  readonly counts: Counts;
  readonly code: number;
}

const args = process.argv.slice(2);
const slow = args.includes("--slow");
const rest = args.filter((arg) => arg !== "--slow");

const files = [...new Glob("test/**/*.test.ts").scanSync(".")]
  .filter((path) => !path.includes("/node_modules/") && path.endsWith(".slow.test.ts") === slow)
  .sort()
  .map((path) => `./${path}`);
const lanes = await Promise.all(startLanes());

const sum = (kind: keyof Counts) => lanes.reduce((total, { counts }) => total + counts[kind], 0);
console.log(`${sum("pass")} passed, ${sum("fail")} failed${sum("skip") > 0 ? `, ${sum("skip")} skipped` : ""}`);
const failed = lanes.find(({ code }) => code !== 0);
if (failed === undefined && lanes.some(({ counts }) => counts.pass === 0)) {
  console.error("no test ran: a pattern that matches nothing, or a build of bun that reports differently");
  process.exit(1);
}
process.exit(failed?.code ?? 0);

function startLanes(): readonly Promise<Lane>[] {
  if (rest.some((arg) => !arg.startsWith("-"))) return [runLane(rest)];
  if (slow || rest.length > 0) return [runLane([...rest, ...files])];
  const programs = runLane(files.filter((path) => PROGRAMS.test(path)));
  const others = runLane(
    files.filter((path) => !PROGRAMS.test(path)),
    programs,
  );
  return [programs, others];
}

/** Runs `bun test`. What it says is passed on as it comes, if need be once `before` is through. */
async function runLane(chosen: readonly string[], before: Promise<unknown> = Promise.resolve()): Promise<Lane> {
  const timeout = `--timeout=${slow ? SLOW_PATIENCE_MS : PATIENCE_MS}`;
  const child = Bun.spawn([process.execPath, "test", timeout, ...chosen], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  // Its closing counts are on stderr, like all that `bun test` itself says.
  const [, tail] = await Promise.all([
    passOn(child.stdout, process.stdout, before),
    passOn(child.stderr, process.stderr, before),
  ]);
  const counts = { pass: 0, fail: 0, skip: 0 };
  for (const [, count, word] of tail.matchAll(/^\s*(\d+) (pass|fail|skip)$/gm)) {
    if (word === "pass" || word === "fail" || word === "skip") counts[word] = Number(count);
  }
  return { counts, code: await child.exited };
}

/** Passes a stream on, from the moment at which `before` is through. Returns its last few KiB. */
async function passOn(
  stream: ReadableStream<Uint8Array>,
  to: NodeJS.WriteStream,
  before: Promise<unknown>,
): Promise<string> {
  const decoder = new TextDecoder();
  const waiting: Uint8Array[] = [];
  let isHeld = true;
  const release = before.then(() => {
    for (const chunk of waiting.splice(0)) to.write(chunk);
    isHeld = false;
  });
  let tail = "";
  for await (const chunk of stream) {
    if (isHeld) waiting.push(chunk);
    else to.write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4_096);
  }
  await release;
  return tail;
}
