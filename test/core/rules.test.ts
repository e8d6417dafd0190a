import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Rules that the core decides. R-3, R-5b and R-48 are the wire's and the service's; do not exist. */
const CORE_RULES = [
  ...[1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30],
  ...[31, 32, 33, 34, 35, 36, 37, 38, 39, 42, 43, 44, 45, 46, 47, 49],
].map((rule) => `R-${rule}`);

/** The titles of tests, and the `rules` lines of scenarios, below a folder. */
function titles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((file) => {
    if (!/\.(test\.ts|scenario)$/.test(file)) return [];
    const text = readFileSync(join(folder, file), "utf8");
    return text.match(file.endsWith(".scenario") ? /^rules .*$/gm : /\btest\(\s*(["`]).*?\1/g) ?? [];
  });
}

test("every rule that the core decides has a test that names it", () => {
  const found = [...titles(import.meta.dir), ...titles(join(import.meta.dir, "../corpus"))].join("\n");
  const named = new Set(found.match(/R-\d+/g));
  expect(CORE_RULES.filter((rule) => !named.has(rule))).toEqual([]);
});
