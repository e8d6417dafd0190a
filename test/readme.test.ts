import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { settingsMarkdown } from "../src/base/args-help";
import { SERVE_SETTINGS } from "../src/base/config";
import { CASES } from "../src/conformance/catalogue";

const read = (page: string) => readFileSync(join(import.meta.dir, "..", page), "utf8");
const readme = read("README.md");

test("the README's table of settings is the one that the program reads", () => {
  const [, table = ""] = /<!-- settings:begin -->\n([\s\S]*?)<!-- settings:end -->/.exec(readme) ?? [];
  expect(table.trim()).toBe(settingsMarkdown(SERVE_SETTINGS).trim());
});

test("README and CHANGELOG tell how many cases the conformance kit has", () => {
  for (const page of ["README.md", "CHANGELOG.md"]) {
    const told = [...read(page).matchAll(/(\d+) cases/g)].map(([, count]) => Number(count));
    expect(told).toEqual([CASES.length]);
  }
});
