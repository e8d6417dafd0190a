import { describe, expect, test } from "bun:test";
import { describeMistake, NO_POSITIONALS, nearest, parseSettings } from "../../src/base/args";
import { choice, integer, optional, text, toggle } from "../../src/base/args-values";

const settings = {
  count: {
    env: "TIDELINE_COUNT",
    flag: "count",
    kind: integer("messages", 1, 10),
    default: "3",
    sentence: "How many.",
  },
  colour: { flag: "colour", kind: choice(["red", "blue"]), default: "red", sentence: "Which." },
  file: { flag: "file", kind: optional(text("file")), default: "", sentence: "Where from." },
  json: { flag: "json", kind: toggle, default: "", sentence: "As JSON." },
} as const;

const words = { usage: "WORD…", wanted: "one or two words", min: 1, max: 2 };

function parse(argv: readonly string[], env: Readonly<Record<string, string>> = {}, positionals = NO_POSITIONALS) {
  return parseSettings({ settings, positionals, argv, env, knownEnv: ["TIDELINE_COUNT"] });
}

function mistakes(...args: Parameters<typeof parse>): readonly string[] {
  const result = parse(...args);
  return result.kind === "mistakes" ? result.mistakes.map(describeMistake) : [];
}

describe("a table of settings", () => {
  test("gives the defaults when nothing is said", () => {
    expect(parse([])).toEqual({
      kind: "parsed",
      values: { count: 3, colour: "red", file: undefined, json: false },
      positionals: [],
    });
  });

  test("takes the variable over the default and the flag over the variable", () => {
    expect(parse([], { TIDELINE_COUNT: "5" })).toMatchObject({ values: { count: 5 } });
    expect(parse(["--count", "7"], { TIDELINE_COUNT: "5" })).toMatchObject({ values: { count: 7 } });
    expect(parse(["--count=7"], { TIDELINE_COUNT: "nonsense" })).toMatchObject({ values: { count: 7 } });
  });

  test("takes an empty variable for one that is not set", () => {
    expect(parse([], { TIDELINE_COUNT: "" })).toMatchObject({ values: { count: 3 } });
  });

  test("hands over values that nobody can change", () => {
    const result = parse([]);
    expect(result.kind === "parsed" && Object.isFrozen(result.values)).toBe(true);
  });

  test("reports every mistake at once, each with what was wanted, what came and what to do", () => {
    expect(mistakes(["--colour", "green", "--cuont", "4"], { TIDELINE_COUNT: "11", TIDELINE_CONUT: "1" })).toEqual([
      "--cuont: wanted a flag of this command; got an unknown one. Did you mean --count?",
      "TIDELINE_CONUT: wanted a variable of tideline; got an unknown one. Did you mean TIDELINE_COUNT?",
      'TIDELINE_COUNT: wanted a whole number from 1 to 10 (messages); got "11". Correct it, or leave it out for 3.',
      '--colour: wanted one of red, blue; got "green". Correct it, or leave it out for red.',
    ]);
  });

  test("leaves foreign variables alone, and its own prefix too where a command does not care", () => {
    expect(parse([], { PATH: "/bin", DATABASE: "x" }).kind).toBe("parsed");
    const careless = parseSettings({ settings, positionals: NO_POSITIONALS, argv: [], env: { TIDELINE_X: "1" } });
    expect(careless.kind).toBe("parsed");
  });

  test("does not let a forgotten value swallow the next flag", () => {
    expect(mistakes(["--file", "--json"])).toEqual([
      "--file: wanted a file; got what looks like a flag. Write --file=VALUE if it is meant.",
    ]);
    expect(parse(["--file=--json"])).toMatchObject({ values: { file: "--json", json: false } });
    expect(parse(["--file", "-"])).toMatchObject({ values: { file: "-" } });
    expect(mistakes(["--file"])).toEqual(["--file: wanted a file; got nothing. Write --file VALUE."]);
  });

  test("refuses a toggle with a value and a flag given twice", () => {
    expect(mistakes(["--json=yes"])).toEqual(["--json: wanted no value; got a value. Write --json alone."]);
    expect(mistakes(["--count", "1", "--count", "2"])).toEqual([
      "--count: wanted the flag once; got it again. Leave one of them out.",
    ]);
  });

  test("counts words, and does not blame the value of an unknown flag twice", () => {
    expect(mistakes([], {}, words)).toEqual(["arguments: wanted one or two words; got none. See --help."]);
    expect(mistakes(["a", "b", "c"], {}, words)).toEqual([
      '"c": wanted one or two words; got one more. Leave it out, or see --help.',
    ]);
    expect(mistakes(["--nothing-like-it", "4"])).toHaveLength(1);
    expect(parse(["a", "--count", "2", "--", "--json"], {}, words)).toMatchObject({
      positionals: ["a", "--json"],
      values: { count: 2, json: false },
    });
  });

  test("asks for help before it complains", () => {
    expect(parse(["--count", "nonsense", "-h"])).toEqual({ kind: "help" });
    expect(parse(["--help"])).toEqual({ kind: "help" });
  });
});

test("a near miss is a few edits away, a far one is none", () => {
  expect(nearest("tial", ["serve", "tail"])).toBe("tail");
  expect(nearest("frobnicate", ["serve", "tail"])).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
});
