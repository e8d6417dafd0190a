/**
 * Makes `dist/tideline`: one executable with the runtime, the program and Postgres inside.
 *
 *   bun scripts/build.ts [--outfile FILE]
 */

import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { BunPlugin } from "bun";
import { packPostgres } from "./pack-postgres";

const ROOT = join(import.meta.dir, "..");

const { values } = parseArgs({ options: { outfile: { type: "string", default: join(ROOT, "dist/tideline") } } });
const outfile = resolve(values.outfile);
const archive = join(dirname(outfile), "postgres.tar.zst");
mkdirSync(dirname(outfile), { recursive: true });

const started = performance.now();
await packPostgres(archive);
const packedMs = performance.now() - started;

/** Puts the archive in the place of the module that says there is none. */
const bundled: BunPlugin = {
  name: "bundled",
  setup(build) {
    build.onLoad({ filter: /src\/store\/embedded\/bundled\.ts$/ }, () => ({
      loader: "ts",
      contents: [
        `import archive from ${JSON.stringify(archive)} with { type: "file" };`,
        "export const BUNDLED_POSTGRES = archive;",
        "export const isBundled = true;",
      ].join("\n"),
    }));
  },
};

const result = await Bun.build({
  entrypoints: [join(ROOT, "src/main.ts")],
  compile: { outfile },
  minify: { syntax: true, whitespace: true },
  sourcemap: "inline",
  plugins: [bundled],
});
for (const message of result.logs) console.error(message);
if (!result.success) process.exit(1);
const megabytes = Bun.file(outfile).size / 1e6;
console.log(
  `${outfile}: ${megabytes.toFixed(0)} MB, of them Postgres ${(Bun.file(archive).size / 1e6).toFixed(1)} MB ` +
    `(packed in ${(packedMs / 1_000).toFixed(1)} s, built in ${((performance.now() - started) / 1_000).toFixed(1)} s)`,
);
