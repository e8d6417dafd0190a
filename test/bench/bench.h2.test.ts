import { expect, test } from "bun:test";
import { GROWTHS } from "./growth/curves";
import { latency } from "./latency/question";
import { live } from "./live/question";
import { publish } from "./publish/question";
import { query } from "./query/question";
import { startNode } from "./support/processes";
import type { Question } from "./support/question";
import { validation } from "./validation/question";

const TIMEOUT_MS = 60_000;

/** What came of a question that was asked as briefly as possible, by figure. */
async function ask(question: Question, address?: string): Promise<ReadonlyMap<string, number>> {
  const figures = await question.run({ address, runs: 1, effort: "tiny" });
  return new Map(figures.map(({ name, values }) => [name, values[0] ?? Number.NaN]));
}

test.concurrent(
  "the questions can be put to a running node, and every figure that needs no look at the server is measured",
  async () => {
    await using node = await startNode();
    const figures = [await ask(live, node.address), await ask(latency, node.address), await ask(publish, node.address)];
    for (const [name, value] of figures.flatMap((answers) => [...answers])) {
      if (!/CPU|core of the server/.test(name)) expect([name, value > 0]).toEqual([name, true]);
    }
  },
  TIMEOUT_MS,
);

test.concurrent(
  "with a node of its own a question has all figures, references too",
  async () => {
    const options = { address: undefined, runs: 1, effort: "tiny" } as const;
    const figures = [...(await query.run(options)), ...(await validation.run(options))];
    for (const { name, values, reference } of figures) {
      const measured = [...values, ...(reference?.values ?? [])];
      // CPU time comes in steps of 10 ms, so it may be 0 here.
      expect([name, measured.every((value) => value >= 0)]).toEqual([name, true]);
    }
  },
  TIMEOUT_MS,
);

test.concurrent(
  "a curve of growth is measured",
  async () => {
    const waves = GROWTHS.find(({ name }) => name === "waves");
    const curve = await waves?.measure({ tiny: true, seconds: 0.2 });
    expect(curve?.points.map(({ x }) => x)).toEqual([16, 64]);
  },
  TIMEOUT_MS,
);
