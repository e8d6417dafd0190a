import { expect, test } from "bun:test";
import { until } from "../support/until";
import { GROWTHS } from "./growth/curves";
import { latency } from "./latency/question";
import { live } from "./live/question";
import { publish } from "./publish/question";
import { query } from "./query/question";
import { startNode } from "./support/processes";
import type { Question } from "./support/question";
import { validation } from "./validation/question";

/**
 * Asks a question as briefly as possible, and again when a machine that stood still for the fraction of a second in which is
 * measured had nothing to show. @throws Error with the figures that are missing
 */
async function ask(question: Question, address?: string): Promise<void> {
  let missing: readonly string[] = [];
  const isMeasured = async () => {
    const figures = await question.run({ address, runs: 1, effort: "tiny" });
    missing = figures.flatMap(({ name, values }) => {
      const needsServer = /CPU|core of the server/.test(name);
      return needsServer || (values[0] ?? 0) > 0 ? [] : [name];
    });
    return missing.length === 0;
  };
  await until(isMeasured, "figures").catch((cause: unknown) => {
    throw new Error(`never measured: ${missing.join(", ")}`, { cause });
  });
}

test.concurrent("the questions can be put to a running node, and every figure that needs no look at the server is measured", async () => {
  await using node = await startNode();
  for (const question of [live, latency, publish]) await ask(question, node.address);
});

test.concurrent("with a node of its own a question has all figures, references too", async () => {
  const options = { address: undefined, runs: 1, effort: "tiny" } as const;
  const figures = [...(await query.run(options)), ...(await validation.run(options))];
  for (const { name, values, reference } of figures) {
    const measured = [...values, ...(reference?.values ?? [])];
    // CPU time comes in steps of 10 ms, so it may be 0 here.
    expect([name, measured.every((value) => value >= 0)]).toEqual([name, true]);
  }
});

test.concurrent("a curve of growth is measured", async () => {
  const waves = GROWTHS.find(({ name }) => name === "waves");
  const curve = await waves?.measure({ tiny: true, seconds: 0.2 });
  expect(curve?.points.map(({ x }) => x)).toEqual([16, 64]);
});
