import { describe, expect, test } from "bun:test";
import { fuzzConformance, showFailure } from "../../src/conformance/fuzz/fuzz";
import { drawScript, showScript } from "../../src/conformance/fuzz/script";
import { brokenBy, type Fault, UNBROKEN } from "./model/faults";
import { ModelNode } from "./model/node";

/** Long enough that no script meets a Ping. */
const KEEPALIVE_MS = 20_000;
const SEED = 1;
/** A step or two more than the shortest script for each of these faults. */
const SHORT_STEPS = 6;

async function fuzz(seconds: number, fault: Fault | undefined) {
  const broken = fault === undefined ? UNBROKEN : brokenBy(fault);
  await using node = await ModelNode.start({ keepaliveMs: KEEPALIVE_MS, broken });
  const patienceMs = fault === undefined ? 5_000 : 600;
  return await fuzzConformance(node.address, { seconds, seed: SEED, patienceMs, shrinkSeconds: 6 });
}

describe("random scripts", () => {
  test("are the same for the same seed, and others for another", () => {
    expect(showScript(drawScript(7))).toBe(showScript(drawScript(7)));
    expect(showScript(drawScript(7))).not.toBe(showScript(drawScript(8)));
  });

  test("find nothing in the unbroken model", async () => {
    const { failure, scripts } = await fuzz(3, undefined);
    expect(failure === undefined ? "" : showFailure(failure)).toBe("");
    expect(scripts).toBeGreaterThan(5);
  });

  test.concurrent.each([
    "fold-untagged",
    "seam-duplicate",
    "lower-re-add-ignored",
    "remove-leaks-live",
    "removes-only-unacked",
    "cursor-inclusive",
  ] as const)("find %s, and tell it by a short script", async (fault) => {
    const { failure } = await fuzz(10, fault);
    expect(failure?.script.length ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(SHORT_STEPS);
  });
});
