/** Answers this one question: `bun test/bench/drivers/run.ts [RUNS]`, a few seconds a run. */

import { median } from "../support/question";
import { drivers } from "./question";

const runs = Number(process.argv[2] ?? 1);
console.log(`${drivers.asks}\n`);
for (const { name, unit, values, reference } of await drivers.run({ address: undefined, runs, effort: "normal" })) {
  const number = (value: number) => `${Number(value.toPrecision(3))}`.padStart(9);
  const beside = reference === undefined ? "" : `${number(median(reference.values))} ${unit} by ${reference.name}`;
  console.log(`${name.padEnd(70)} ${number(median(values))} ${unit.padEnd(12)} ${beside}`);
}
process.exit(0);
