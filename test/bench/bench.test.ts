import { describe, expect, test } from "bun:test";
import { compareAnswers } from "./compare";
import { type Curve, describeGrowth, findBend, fitPower } from "./growth/curve";
import { plotCurve } from "./plot";
import { fillSections, sectionsOf } from "./report";
import { functionTimes } from "./support/profile";
import { median, quantile } from "./support/question";
import { answerTable, formatNumber } from "./support/table";

const XS = [4, 16, 64, 256, 1_024];

describe("figures", () => {
  test("a median is the middle, or lies between the two middles", () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(quantile([1, 2, 3, 4], 0.99)).toBe(4);
  });

  test("a number has three digits, and thousands stand apart", () => {
    expect([0.123456, 12.34, 999, 1_234_567, 20_000].map(formatNumber)).toEqual([
      "0.123",
      "12.3",
      "999",
      "1 230 000",
      "20 000",
    ]);
  });

  test("what was not measured is said so, and takes no part in a median", () => {
    const table = answerTable([
      { name: "a", unit: "ms", values: [Number.NaN, 2, 4] },
      { name: "b", unit: "ms", values: [Number.NaN], reference: { name: "r", values: [Number.NaN] } },
    ]);
    expect(table).toContain("| a | 3 ms | 2 – 4 |");
    expect(table).toContain("| b | not measured |");
  });
});

describe("a comparison", () => {
  const answer = (values: readonly number[]) => ({
    question: "q",
    asks: "?",
    seconds: 1,
    figures: [{ name: "rate", unit: "1/s", values, better: "more" as const }],
  });

  test("calls a difference noise as long as runs of both overlap", () => {
    expect(compareAnswers(answer([90, 100, 110]), answer([105, 120, 130]))).toContain("within the noise");
  });

  test("says which way it went when every run is beyond every other", () => {
    expect(compareAnswers(answer([90, 100, 110]), answer([180, 200, 220]))).toContain("| 2 | 1.64 – 2.44 | better |");
    expect(compareAnswers(answer([90, 100, 110]), answer([45, 50, 55]))).toContain("worse");
  });
});

test("a profile tells which functions a load kept busy, and which only called others", () => {
  const node = (id: number, functionName: string, children: readonly number[]) => {
    return { id, callFrame: { functionName, url: "", lineNumber: 0 }, children };
  };
  const nodes = [node(1, "root", [2]), node(2, "outer", [3, 4]), node(3, "inner", []), node(4, "outer", [])];
  const profile = { nodes, samples: [3, 3, 2, 4, 3], timeDeltas: [500, 500, 500, 500, 5_000], startTime: 10_000_000 };
  expect(functionTimes(profile, { load: "", fromMs: 10_000, toMs: 10_003 })).toEqual([
    { name: "inner", self: 2, total: 2 },
    { name: "outer", self: 2, total: 4 },
  ]);
});

describe("growth", () => {
  test("the power of a curve is found", () => {
    const { exponent, factor } = fitPower(XS.map((x) => ({ x, y: 3 * x ** 1.5 })));
    expect(exponent).toBeCloseTo(1.5);
    expect(factor).toBeCloseTo(3);
    expect(() => fitPower([{ x: 1, y: 1 }])).toThrow(RangeError);
    expect(() => fitPower([1, 2].map((x) => ({ x, y: 0 })))).toThrow(RangeError);
  });

  test("a curve bends where its power changes, and a straight one does not", () => {
    const bent = XS.map((x) => ({ x, y: x <= 64 ? 10 : (10 * x) / 64 }));
    expect(findBend(bent)?.x).toBe(64);
    expect(describeGrowth(bent)).toContain("bends near 64, from 0.00 to 1.00");
    expect(findBend(XS.map((x) => ({ x, y: 7 * x })))).toBeUndefined();
  });

  test("a plot is an SVG that asks for nothing from outside and is legible on dark", async () => {
    const curve: Curve = { name: "A < B", x: "x", y: "y", points: XS.map((x) => ({ x, y: x })) };
    const svg = plotCurve(curve);
    expect(svg).toContain("A &lt; B");
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).not.toMatch(/NaN|Infinity|href|url\(/);
    expect(svg.match(/class="point"/g)).toHaveLength(XS.length);
  });
});

describe("the report", () => {
  test("fills the places of a page and leaves the words around them", () => {
    const page = "Before\n<!-- live:begin -->\nold\n<!-- live:end -->\nAfter";
    const filled = fillSections(page, [{ name: "live", text: "new" }]);
    expect(filled).toBe("Before\n<!-- live:begin -->\nnew\n<!-- live:end -->\nAfter");
    expect(() => fillSections(page, [{ name: "query", text: "" }])).toThrow("no place for query");
  });

  test("docs/benchmarks.md has a place for every question and curve", async () => {
    const page = await Bun.file(`${import.meta.dir}/../../docs/benchmarks.md`).text();
    const machine = { cpu: "", cores: 1, memoryGiB: 1, kernel: "", at: "2000-01-01", commit: "", versions: {} };
    const { QUESTIONS } = await import("./questions");
    const answers = QUESTIONS.map(({ name, asks }) => ({ question: name, asks, seconds: 0, figures: [] }));
    const options = { address: undefined, runs: 1, effort: "tiny" as const };
    const curves = [
      "Deliveries with streams",
      "Memory with topics",
      "Catch-up with history",
      "Publish with nodes",
      "Waves with topics",
    ];
    const points = XS.map((x) => ({ x, y: x }));
    const results = [
      sectionsOf({ kind: "answers", machine, options, answers }),
      sectionsOf({ kind: "growth", machine, curves: curves.map((name) => ({ name, x: "", y: "", points })) }),
    ];
    expect(() => fillSections(page, results.flat())).not.toThrow();
  });
});

test("a flag or a question that there is none of is told with those there are, and nothing is measured", async () => {
  const run = async (...args: readonly string[]) => {
    const child = Bun.spawn([process.execPath, "test/bench/main.ts", ...args], { stdout: "pipe", stderr: "pipe" });
    return { code: await child.exited, out: await child.stdout.text(), err: await child.stderr.text() };
  };
  const flag = await run("--bogus");
  expect([flag.code, flag.out]).toEqual([2, ""]);
  expect(flag.err).toMatch(/^Unknown option '--bogus'[\s\S]*\nUsage: bun run bench/);
  const question = await run("nonsense");
  expect([question.code, question.out]).toEqual([2, ""]);
  expect(question.err).toStartWith("unknown question: nonsense; there are live, ");
  const help = await run("--help");
  expect([help.code, help.err]).toEqual([0, ""]);
  expect(help.out).toStartWith("Usage: bun run bench");
});
