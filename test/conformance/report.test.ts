import { expect, test } from "bun:test";
import type { CaseGroup, CaseLevel } from "../../src/conformance/case";
import { judgeStrictly, showJson, showJunit, showSummary, showTable, summarise } from "../../src/conformance/report";
import type { CaseResult, Verdict } from "../../src/conformance/run";

function result(id: string, verdict: Verdict, words?: string, group: CaseGroup = "acks"): CaseResult {
  const level: CaseLevel = verdict === "differs" ? "strict" : "must";
  const one = { id, group, rules: ["R-33"], level, promise: "It <acks> & more.", run: async () => {} };
  return { case: one, verdict, ms: 12.4, words };
}

const RESULTS = [
  result("b", "failed", 'expected "x"; got\n\u0000<y>'),
  result("a", "passed"),
  result("c", "differs", "otherwise", "waves and order"),
  result("d", "skipped", "too long", "liveness"),
];

test("the table goes group by group and tells in full what did not pass", () => {
  expect(showTable(RESULTS).split("\n")).toEqual([
    "acks",
    "  ok      a  R-33  12 ms",
    "  FAILED  b  R-33",
    "          It <acks> & more.",
    '          expected "x"; got',
    "\u0000<y>",
    "waves and order",
    "  differs c  R-33",
    "          It <acks> & more.",
    "          otherwise",
    "liveness",
    "  skipped d  R-33",
    "          too long",
    "",
  ]);
});

test("the summary counts every verdict", () => {
  expect(showSummary(summarise(RESULTS), 1.25)).toBe(
    "4 cases in 1.3 s: 1 passed, 1 failed, 1 differ by policy, 1 skipped",
  );
});

test("strictly, what differs has failed, and nothing else changes", () => {
  expect(RESULTS.map(judgeStrictly).map(({ verdict }) => verdict)).toEqual(["failed", "passed", "failed", "skipped"]);
});

test("a line of JSON holds all there is to know of a case", () => {
  expect(JSON.parse(showJson(result("c", "differs", "otherwise")))).toEqual({
    case: "c",
    group: "acks",
    rules: ["R-33"],
    level: "strict",
    promise: "It <acks> & more.",
    verdict: "differs",
    ms: 12,
    words: "otherwise",
  });
});

test("JUnit has a suite per group, failures as failures and the rest as skipped, and is well-formed XML", () => {
  const xml = showJunit(RESULTS);
  expect(xml).toContain('<testsuite name="acks" tests="2" failures="1" skipped="0" time="0.025">');
  expect(xml).toContain(
    'name="b: It &lt;acks&gt; &amp; more. (R-33)" time="0.012"><failure message="expected &quot;x&quot;; got&#10;&lt;y&gt;"/>',
  );
  expect(xml).toContain('<skipped message="differs: otherwise"/>');
  expect(xml).not.toContain("\u0000");
});
