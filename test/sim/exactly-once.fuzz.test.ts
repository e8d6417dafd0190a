/** The client's core against the server's, both real, under virtual time and a bad network. `FUZZ_SEEDS`, `FUZZ_FIRST` as in test/fuzz. */
import { expect, test } from "bun:test";
import { Simulation } from "./simulation";

const { FUZZ_FIRST = "1", FUZZ_SEEDS = "60" } = process.env;
const FIRST = Number(FUZZ_FIRST);
const SEEDS = Number(FUZZ_SEEDS);
const STEPS = 250;

function play(seed: number, historyOnly: boolean): Simulation {
  const simulation = new Simulation({ seed, historyOnly, steps: STEPS });
  try {
    simulation.run();
  } catch (error) {
    throw new Error(`FUZZ_FIRST=${seed} FUZZ_SEEDS=1 (${historyOnly ? "bounded sync" : "subscription"}): ${error}`, {
      cause: error,
    });
  }
  return simulation;
}

test(
  "across cuts, black holes, sleeps, crashes, restarts and two nodes that lag, a consumer gets everything exactly once (I1, I2, C-3)",
  () => {
    let streams = 0;
    let delivered = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const simulation = play(seed, false);
      streams += simulation.streams;
      delivered += simulation.delivered;
    }
    expect(streams).toBeGreaterThan(SEEDS * 3);
    expect(delivered).toBeGreaterThan(SEEDS * 50);
  },
  { timeout: 600_000 },
);

test(
  "a bounded sync over the same network reaches everything that any node had acked before it began (C-5, R-36)",
  () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) play(seed, true);
  },
  { timeout: 600_000 },
);
