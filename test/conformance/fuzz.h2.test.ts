import { describe, expect, test } from "bun:test";
import { type FuzzFailure, fuzzConformance, showFailure } from "../../src/conformance/fuzz/fuzz";
import { drawScript, showScript } from "../../src/conformance/fuzz/script";
import { RunningClock } from "../support/running-clock";
import { PATIENCE_MS } from "../support/until";
import { brokenBy, type Fault, UNBROKEN } from "./model/faults";
import { ModelNode } from "./model/node";

/** Long enough that no script meets a Ping. */
const KEEPALIVE_MS = 20_000;
const SEED = 1;
/** A step or two more than the shortest script for each of these faults. */
const SHORT_STEPS = 6;

/** So many scripts find nothing where there is nothing. */
const SCRIPTS = 60;
/** Longer than any machine needs. */
const SECONDS = 200;
/** How long to wait for what may never come, in milliseconds that this process runs. */
const SHORT_PATIENCE_MS = 500;

/** Looks for a fault, and makes the script that shows it as short as it gets. */
async function find(fault: Fault): Promise<FuzzFailure | undefined> {
  using clock = new RunningClock();
  await using node = await ModelNode.start({ keepaliveMs: KEEPALIVE_MS, broken: brokenBy(fault) });
  const time = { clock, seconds: SECONDS, shrinkSeconds: SECONDS, patienceMs: SHORT_PATIENCE_MS };
  return (await fuzzConformance(node.address, { ...time, seed: SEED })).failure;
}

describe("random scripts", () => {
  test("are the same for the same seed, and others for another", () => {
    expect(showScript(drawScript(7))).toBe(showScript(drawScript(7)));
    expect(showScript(drawScript(7))).not.toBe(showScript(drawScript(8)));
  });

  test.concurrent("find nothing in the unbroken model", async () => {
    await using node = await ModelNode.start({ keepaliveMs: KEEPALIVE_MS, broken: UNBROKEN });
    for (let played = 0; played < SCRIPTS; ) {
      const options = { seconds: 1, seed: SEED + played, patienceMs: PATIENCE_MS };
      const { failure, scripts } = await fuzzConformance(node.address, options);
      expect(failure === undefined ? "" : showFailure(failure)).toBe("");
      expect(scripts).toBeGreaterThan(0);
      played += scripts;
    }
  });

  test.concurrent.each([
    "fold-untagged",
    "seam-duplicate",
    "lower-re-add-ignored",
    "remove-leaks-live",
    "removes-only-unacked",
    "cursor-inclusive",
  ] as const)("find %s, and tell it by a short script", async (fault) => {
    const failure = await find(fault);
    if (failure === undefined) throw new Error("nothing was found");
    const isTold = failure.finding.rule !== "promise" && failure.script.length <= SHORT_STEPS;
    expect(isTold ? "" : showFailure(failure)).toBe("");
  });
});
