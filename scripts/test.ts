/**
 * Runs the tests and closes with one line that counts them.
 *
 *   bun scripts/test.ts [--slow] [patterns or flags of `bun test`…]
 *
 * Files named `*.slow.test.ts` run with --slow only, and then alone.
 */

import { Glob } from "bun";

/**
 * Per test and hook, in milliseconds: for what hangs, and not for what a machine that is many times slower than ours has
 * not done yet. A test waits for less by itself, to say for what (test/support/until.ts).
 */
const PATIENCE_MS = 240_000;

const args = process.argv.slice(2);
const slow = args.includes("--slow");
const rest = args.filter((arg) => arg !== "--slow");

const files = [...new Glob("test/**/*.test.ts").scanSync(".")]
  .filter((path) => !path.includes("/node_modules/") && path.endsWith(".slow.test.ts") === slow)
  .sort()
  .map((path) => `./${path}`);
const chosen = rest.some((arg) => !arg.startsWith("-")) ? rest : [...rest, ...files];

const child = Bun.spawn([process.execPath, "test", `--timeout=${slow ? 600_000 : PATIENCE_MS}`, ...chosen], {
  stdin: "ignore",
  stdout: "inherit",
  stderr: "pipe",
});

// `bun test` talks on stderr: pass it on as it comes, and remember its closing counts.
const counts = { pass: 0, fail: 0, skip: 0 };
const decoder = new TextDecoder();
let tail = "";
for await (const chunk of child.stderr) {
  process.stderr.write(chunk);
  tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4_096);
}
for (const [, count, word] of tail.matchAll(/^\s*(\d+) (pass|fail|skip)$/gm)) {
  if (word === "pass" || word === "fail" || word === "skip") counts[word] = Number(count);
}
const code = await child.exited;
console.log(`${counts.pass} passed, ${counts.fail} failed${counts.skip > 0 ? `, ${counts.skip} skipped` : ""}`);
if (code === 0 && counts.pass === 0) {
  console.error("no test ran: a pattern that matches nothing, or a build of bun that reports differently");
  process.exit(1);
}
process.exit(code);
