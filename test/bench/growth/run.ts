/** `bun run bench growth`: measures the curves, says what power they follow, and keeps them as JSON. */

import { describeMachine, type Results, readMachine, writeResults } from "../support/results";
import { formatNumber } from "../support/table";
import { type Curve, describeGrowth } from "./curve";
import { GROWTHS } from "./curves";

export interface GrowthRun {
  /** Of curves; none: all. */
  readonly names: readonly string[];
  readonly json: string | undefined;
  readonly quick: boolean;
}

/** @throws RangeError for a curve that is not known. */
export async function runGrowth({ names, json, quick }: GrowthRun): Promise<void> {
  const unknown = names.filter((name) => !GROWTHS.some((growth) => growth.name === name));
  if (unknown.length > 0) {
    throw new RangeError(
      `unknown curve: ${unknown.join(", ")}; there are ${GROWTHS.map(({ name }) => name).join(", ")}`,
    );
  }
  const machine = readMachine();
  console.log(describeMachine(machine));
  const curves: Curve[] = [];
  for (const growth of GROWTHS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    console.log(`\n## ${growth.name}`);
    const curve = await growth.measure({
      tiny: false,
      seconds: quick ? 1 : 3,
      onPoint: ({ x, y }) => console.log(`${formatNumber(x)}: ${formatNumber(y)}`),
    });
    console.log(`${curve.name}: ${curve.y}, with ${curve.x}. ${describeGrowth(curve.points)}`);
    curves.push(curve);
    const results: Results = { kind: "growth", machine, curves };
    if (json !== undefined) await writeResults(json, results);
  }
}
