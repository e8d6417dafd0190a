import { emptyTransactionsMs } from "../support/empty-transaction";
import { runJson, runningTarget, startNode } from "../support/processes";
import { type Figure, type Question, quantile } from "../support/question";

interface LoadResult {
  readonly p50: number;
  readonly p99: number;
}

const RATES = [100, 1_000, 5_000];

export const latency: Question = {
  name: "latency",
  asks: "How long is it from publishing a message until a stream has it, beside an empty durable transaction?",
  run: async (options) => {
    const results = new Map<number, LoadResult[]>(RATES.map((rate) => [rate, []]));
    const empty: LoadResult[] = [];
    for (let run = 0; run < options.runs; run++) {
      await using target = options.address === undefined ? await startNode() : runningTarget(options.address);
      for (const rate of RATES) {
        const args = ["test/bench/latency/load.ts", `--address=${target.address}`, `--rate=${rate}`];
        results.get(rate)?.push(await runJson<LoadResult>(args));
      }
      const ms = target.databaseDir === undefined ? [Number.NaN] : await emptyTransactionsMs(target.databaseDir, 1_000);
      empty.push({ p50: quantile(ms, 0.5), p99: quantile(ms, 0.99) });
    }
    return RATES.flatMap((rate) => figures(rate, results.get(rate) ?? [], empty));
  },
};

function figures(rate: number, results: readonly LoadResult[], empty: readonly LoadResult[]): readonly Figure[] {
  const name = `publish to delivered at ${rate}/s, 100 streams`;
  const reference = "empty durable transaction";
  return [
    {
      name: `${name}, p50`,
      unit: "ms",
      values: results.map((result) => result.p50),
      reference: { name: `${reference}, p50`, values: empty.map((result) => result.p50) },
      reach: "reference + 1 ms",
    },
    {
      name: `${name}, p99`,
      unit: "ms",
      values: results.map((result) => result.p99),
      reference: { name: `${reference}, p99`, values: empty.map((result) => result.p99) },
      reach: "5 ms",
    },
  ];
}
