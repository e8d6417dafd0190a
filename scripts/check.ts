/** Types, format and lint, the proto contract, and generated code that is what the generator makes now. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const generated = mkdtempSync(join(tmpdir(), "tideline-gen-"));

const checks: readonly { readonly what: string; readonly command: readonly string[] }[] = [
  { what: "types", command: ["tsc", "--project", "."] },
  { what: "format, imports, lint", command: ["biome", "ci", "--error-on-warnings", "."] },
  { what: "proto", command: ["sh", "-c", "buf lint && buf format --diff --exit-code"] },
  {
    what: "generated code is fresh",
    command: ["sh", "-c", `buf generate --output ${generated} && diff -r ${generated}/src/wire/gen src/wire/gen`],
  },
];

const results = await Promise.all(
  checks.map(async ({ what, command }) => {
    const started = performance.now();
    const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    console.log(`${code === 0 ? "ok  " : "FAIL"} ${what} (${((performance.now() - started) / 1_000).toFixed(1)} s)`);
    if (code !== 0) console.log(`${out}${err}`);
    return code;
  }),
);
rmSync(generated, { recursive: true, force: true });
process.exit(results.every((code) => code === 0) ? 0 : 1);
