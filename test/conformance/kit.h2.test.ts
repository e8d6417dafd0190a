import { afterAll, beforeAll, expect, test } from "bun:test";
import { CASES } from "../../src/conformance/catalogue";
import { Unreachable } from "../../src/conformance/client/reach";
import { type CaseResult, type RunOptions, runConformance } from "../../src/conformance/run";
import { type NodeInMemory, startNodeInMemory } from "../client/node-in-memory";
import { PATIENCE_MS, until } from "../support/until";
import { notPassed, outcomesAt } from "./not-passed";

let node: NodeInMemory;
beforeAll(async () => {
  node = await startNodeInMemory({ keepaliveMs: 400 });
});
afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

async function run(options: RunOptions = {}, address = node.address): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for await (const result of runConformance(address, { patienceMs: PATIENCE_MS, ...options })) results.push(result);
  return results;
}

test("our node passes every case, the strict ones included", async () => {
  await using patient = await startNodeInMemory({ keepaliveMs: 30_000 });
  const servers = { hasty: node.address, patient: patient.address };
  expect(await notPassed((ids) => outcomesAt(servers, ids))).toEqual([]);
});

test("a run leaves no stream behind", async () => {
  await run({ groups: ["opening", "ids"] });
  await until(() => node.streams() === 0, "the last stream to be gone");
});

test("only the cases that were asked for are run", async () => {
  const ids = ["cursor-zero", "started-exactly-once"];
  expect((await run({ ids })).map((result) => result.case.id).toSorted()).toEqual(ids);
  expect(await run({ ids, groups: ["seam"] })).toEqual([]);
});

test("where intervals are long, what lasts several of them is left out unless it was asked for", async () => {
  await using patient = await startNodeInMemory({ keepaliveMs: 30_000 });
  const results = await run({ groups: ["liveness"] }, patient.address);
  const skipped = results.filter(({ verdict }) => verdict === "skipped").map((result) => result.case.slow);
  expect(skipped.length).toBeGreaterThan(5);
  expect(skipped.every((slow) => slow === true)).toBe(true);
  expect(results.filter(({ verdict }) => verdict === "failed")).toEqual([]);
});

test("a server that is not there is unreachable, which is no failure of it", async () => {
  await expect(run({}, "http://127.0.0.1:1")).rejects.toBeInstanceOf(Unreachable);
});

test("a case that moves megabytes is given more time for each of its steps, on a machine that is busy", async () => {
  const patience = new Map<string, number>();
  const cases = CASES.map((one) => ({
    ...one,
    run: async ({ patienceMs }: { readonly patienceMs: number }) => void patience.set(one.id, patienceMs),
  }));
  await run({ cases });
  expect(patience.get("frames-below-four-mib")).toBe(4 * PATIENCE_MS);
  expect(patience.get("cursor-zero")).toBe(PATIENCE_MS);
});

test("a run that is interrupted begins no further case", async () => {
  const stop = new AbortController();
  const results: CaseResult[] = [];
  for await (const result of runConformance(node.address, {
    signal: stop.signal,
    concurrency: 2,
    patienceMs: PATIENCE_MS,
  })) {
    results.push(result);
    stop.abort();
  }
  expect(results.length).toBeLessThan(4);
});

test("a case that the server decides differently is labelled if it is strict, and fails if it is a must", async () => {
  const [one] = CASES;
  if (one === undefined) throw new Error("no case");
  const never = async () => {
    throw new Error("never right");
  };
  const cases = [
    { ...one, id: "is-strict", level: "strict" as const, run: never },
    { ...one, id: "is-must", level: "must" as const, run: never },
  ];
  const verdicts = (await run({ cases })).map((result) => `${result.case.id} ${result.verdict}`);
  expect(verdicts.toSorted()).toEqual(["is-must failed", "is-strict differs"]);
});
