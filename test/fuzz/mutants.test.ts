/** The fuzzer is fuzzed: each known fault, put into a copy of the core, must be found. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { MUTANTS } from "./mutants";
import { loadMutated } from "./mutated-core";
import { play } from "./run";
import { drawRun, STEPS_PER_SEED } from "./scenario";

/** Seeds tried from the recorded one on, should a change of the core have moved the fault. */
const SEEDS_TRIED = 300;

describe("the fuzzer finds that", () => {
  for (const mutant of MUTANTS) {
    test(`${mutant.breaks} (${mutant.rule})`, async () => {
      const make = await loadMutated(mutant);
      const seeds = Array.from({ length: SEEDS_TRIED }, (_, i) => mutant.seed + i);
      const killer = seeds.find((seed) => play(make, drawRun(seed, STEPS_PER_SEED)) !== undefined);
      expect(killer, `no seed from ${mutant.seed} on found it`).toBeNumber();
    });
  }
});

test("every mutant is in the README, with its seed and the rule that catches it", () => {
  const readme = readFileSync(`${import.meta.dir}/README.md`, "utf8").replaceAll(/ +/g, " ");
  const rows = MUTANTS.map(({ breaks, file, seed, rule }) => `| ${breaks} | ${file} | ${rule} | ${seed} |`);
  expect(rows.filter((row) => !readme.includes(row))).toEqual([]);
});

test("a mutant whose text is no longer in the core says so", () => {
  const lost = {
    breaks: "nothing",
    file: "limits.ts",
    seed: 1,
    rule: "I1",
    edits: [{ search: "no such text", replacement: "" }],
  };
  return expect(loadMutated(lost)).rejects.toThrow("occurs 0 times in src/core/limits.ts");
});
