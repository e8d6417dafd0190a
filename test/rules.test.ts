import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** Rules of docs/protocol.md that are promises of a node: R-48 waits for identities, R-40 and R-41 do not exist. */
const rules = new Set(
  [...readFileSync(join(ROOT, "docs/protocol.md"), "utf8").matchAll(/\*\*(R-\d+b?)\*\*/g)]
    .map(([, rule]) => rule ?? "")
    .filter((rule) => rule !== "R-48"),
);

/** The rules that test titles and scenario files name, each with where. */
function namedRules(): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  for (const path of readdirSync(import.meta.dir, { recursive: true, encoding: "utf8" })) {
    const isScenario = path.endsWith(".scenario");
    if (path.includes("/node_modules/") || (!isScenario && !path.endsWith(".test.ts"))) continue;
    const text = readFileSync(join(import.meta.dir, path), "utf8");
    const places = isScenario
      ? [text]
      : [...text.matchAll(/\b(?:test|it|describe)(?:\.\w+(?:\([^)]*\))?)?\(\s*(["'`])(.*?)\1/gs)].map(
          ([, , title]) => title ?? "",
        );
    for (const place of places) for (const [rule] of place.matchAll(/\bR-\d+b?\b/g)) named.set(rule, path);
  }
  return named;
}

test("every rule of the protocol is named by a test or a scenario", () => {
  const named = namedRules();
  expect(rules.size).toBeGreaterThan(45);
  expect([...rules].filter((rule) => !named.has(rule))).toEqual([]);
});

test("no test names a rule that is not in the protocol", () => {
  expect([...namedRules()].filter(([rule]) => !rules.has(rule) && rule !== "R-48")).toEqual([]);
});
