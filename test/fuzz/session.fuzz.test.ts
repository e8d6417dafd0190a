/**
 * Random runs of the session core against an oracle that was written from the protocol alone.
 *
 * `FUZZ_SEEDS=5000 bun test test/fuzz` runs more seeds, `FUZZ_FIRST=…` starts elsewhere,
 * `FUZZ_SEED=123` runs one seed and prints its shrunk script and trace if it fails.
 */
import { test } from "bun:test";
import { fuzz } from "./run";
import { STEPS_PER_SEED } from "./scenario";
import { loadSession } from "./session-like";

function fromEnv(name: string, otherwise: number): number {
  const given = Number(process.env[name] ?? otherwise);
  if (!Number.isSafeInteger(given) || given < 0) throw new RangeError(`${name} must be a whole number from 0 on`);
  return given;
}

const make = await loadSession(`${import.meta.dir}/../../src/core`);
const only = fromEnv("FUZZ_SEED", 0);
const first = only || fromEnv("FUZZ_FIRST", 1);
const count = only === 0 ? fromEnv("FUZZ_SEEDS", 300) : 1;

test(
  `no run of ${count} seeds from ${first} on breaks I1 to I12 or a rule from R-1 to R-46`,
  () => {
    for (let seed = first; seed < first + count; seed++) {
      const report = fuzz(make, seed, STEPS_PER_SEED);
      if (report !== undefined) throw new Error(report);
    }
  },
  { timeout: 600_000 },
);
