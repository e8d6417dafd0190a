import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CASE_GROUPS } from "../../src/conformance/case";
import { CASES } from "../../src/conformance/catalogue";
import { casesMarkdown } from "../../src/conformance/report";

const DOCS = join(import.meta.dir, "../../docs");
const PROTOCOL = readFileSync(join(DOCS, "protocol.md"), "utf8");

describe("the catalogue", () => {
  test("has at least 100 cases, some in every group", () => {
    expect(CASES.length).toBeGreaterThanOrEqual(100);
    for (const group of CASE_GROUPS) expect(CASES.filter((one) => one.group === group).length).toBeGreaterThan(4);
  });

  test("names every case once, in kebab-case", () => {
    const ids = CASES.map(({ id }) => id);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id))).toEqual([]);
  });

  test("promises one sentence per case", () => {
    const odd = CASES.filter(({ promise }) => !/^\S.{20,}\.$/.test(promise) || /[a-z]\. [A-Z]/.test(promise));
    expect(odd.map(({ id }) => id)).toEqual([]);
  });

  test("cites rules that docs/protocol.md has, and RPCs that it lists", () => {
    const known = (rule: string) => PROTOCOL.includes(`**${rule}**`) || PROTOCOL.includes(rule.replace(/^v3 /, ""));
    const unknown = CASES.flatMap(({ id, rules }) =>
      rules.filter((rule) => !known(rule)).map((rule) => `${id}: ${rule}`),
    );
    expect(unknown).toEqual([]);
    expect(CASES.filter(({ rules }) => rules.length === 0)).toEqual([]);
  });

  test("has a case for every rule that can be seen from outside", () => {
    const cited = new Set(CASES.flatMap(({ rules }) => rules));
    // no optional request type exists yet. R-48: the node under test authorises everybody.
    const unseen = ["R-3", "R-48"];
    const rules = [...PROTOCOL.matchAll(/\*\*(R-\d+b?)\*\*/g)].map((match) => match[1] ?? "");
    expect(rules.filter((rule) => !cited.has(rule) && !unseen.includes(rule))).toEqual([]);
  });

  test("is listed as it is in docs/conformance.md", () => {
    expect(readFileSync(join(DOCS, "conformance.md"), "utf8")).toContain(casesMarkdown(CASES));
  });
});
