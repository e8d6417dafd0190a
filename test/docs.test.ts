import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { scripts } from "../package.json";

const ROOT = join(import.meta.dir, "..");

const pages = [...new Bun.Glob("**/*.md").scanSync(ROOT)]
  .filter((path) => !path.includes("node_modules"))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }))
  .toSorted((a, b) => (a.path < b.path ? -1 : 1));

/** What a page names by a pattern's first group, each with the page. */
function named(pattern: RegExp): readonly { readonly page: string; readonly name: string }[] {
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map(([, name = ""]) => ({ page: path, name: name })),
  );
}

test("every link between pages leads somewhere", () => {
  const links = named(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g);
  const broken = links.filter(({ page, name }) => !existsSync(join(ROOT, dirname(page), name)));
  expect(links.length).toBeGreaterThan(50);
  expect(broken).toEqual([]);
});

test("every file of the source that a page names is there", () => {
  const files = named(/`((?:src|test|scripts|migrations|proto|examples)\/[\w./-]+?)\/?`/g);
  const missing = files.filter(({ name }) => !existsSync(join(ROOT, name)));
  expect(files.length).toBeGreaterThan(20);
  expect(missing).toEqual([]);
});

test("every command that a page tells to run is there", () => {
  const run = named(/\bbun(?:@[\d.]+)? run ([\w:]+)/g).filter(({ name }) => !(name in scripts));
  const programs = named(/\bbun ((?:test|scripts|src)\/[\w./-]+\.ts)\b/g);
  expect(run).toEqual([]);
  expect(programs.filter(({ name }) => !existsSync(join(ROOT, name)))).toEqual([]);
});
