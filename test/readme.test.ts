import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { settingsMarkdown } from "../src/base/args-help";
import { SERVE_SETTINGS } from "../src/base/config";

const readme = readFileSync(join(import.meta.dir, "../README.md"), "utf8");

test("the README's table of settings is the one that the program reads", () => {
  const [, table = ""] = /<!-- settings:begin -->\n([\s\S]*?)<!-- settings:end -->/.exec(readme) ?? [];
  expect(table.trim()).toBe(settingsMarkdown(SERVE_SETTINGS).trim());
});
