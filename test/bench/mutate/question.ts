import { fillShape } from "../catchup/shape";
import { prefill, startDatabase } from "../support/database";
import { runningTarget, startNode } from "../support/processes";
import { type Effort, type Figure, type Question, type RunOptions, repeat } from "../support/question";
import { type BigMutate, type MutateSize, type Mutates, mutate as measureMutates, type Paced } from "./measure";

const SIZES = {
  tiny: { streams: 10, rate: 200, seconds: 0.2, adds: 1_000 },
  normal: { streams: 100, rate: 1_000, seconds: 2, adds: 100_000 },
  full: { streams: 100, rate: 1_000, seconds: 10, adds: 100_000 },
} as const satisfies Record<Effort, MutateSize>;

/** Of another topic, after all others: a node that starts looks at the newest messages, and is not to find those asked for. */
const LATER_MESSAGES = 150_000;

export const mutate: Question = {
  name: "mutate",
  asks: "How soon is a Mutate of current topics acked, when many come and when one is very large, and who notices?",
  run: async (options) => {
    const size = SIZES[options.effort];
    return figures(size, await repeat(options.runs, () => measure(options, size)));
  },
};

async function measure({ address }: RunOptions, size: MutateSize): Promise<Mutates> {
  if (address !== undefined) return await measureMutates(runningTarget(address), size, 0);
  await using database = await startDatabase();
  await fillShape(database, { big: 0, topics: size.adds, spread: size.adds, bytes: 256 });
  const later = size.adds === SIZES.tiny.adds ? 0 : LATER_MESSAGES;
  await prefill(database.target, { firstTopic: size.adds + 1, topics: 1, messages: later, bytes: 256 });
  await using node = await startNode({ databaseUrl: database.url });
  return await measureMutates(node, size, size.adds);
}

function figures({ streams, rate, adds }: MutateSize, results: readonly Mutates[]): readonly Figure[] {
  const one = `${rate.toLocaleString("en")} Mutates/s of one topic over ${streams} streams`;
  const many = `one Mutate of ${adds.toLocaleString("en")} adds`;
  const unknown = "topics the node has not heard of";
  return [
    ...pacedFigures(
      one,
      results.map(({ known }) => known),
    ),
    ...pacedFigures(
      `${one}, ${unknown}`,
      results.map(({ paced }) => paced),
    ),
    ...bigFigures(
      many,
      adds,
      results.map(({ bigKnown }) => bigKnown),
    ),
    ...bigFigures(
      `${many}, ${unknown}`,
      adds,
      results.map(({ big }) => big),
    ),
    {
      name: "load client's share of a core, many Mutates",
      unit: "",
      values: results.map(({ known }) => known.clientCpuShare),
    },
  ];
}

function pacedFigures(name: string, results: readonly Paced[]): readonly Figure[] {
  return [
    { name: `${name}: ack p50`, unit: "ms", values: results.map(({ p50 }) => p50), better: "less" },
    { name: `${name}: ack p99`, unit: "ms", values: results.map(({ p99 }) => p99), reach: "20", better: "less" },
    {
      name: `${name}: CPU of the node`,
      unit: "µs/Mutate",
      values: results.map(({ serverCpuSeconds = Number.NaN, mutates }) => (serverCpuSeconds * 1_000_000) / mutates),
      better: "less",
    },
  ];
}

function bigFigures(name: string, adds: number, results: readonly BigMutate[]): readonly Figure[] {
  return [
    { name: `${name}: ack`, unit: "ms", values: results.map(({ ackMs }) => ackMs), reach: "1 000", better: "less" },
    {
      name: `${name}: CPU of the node`,
      unit: "µs/add",
      values: results.map(({ serverCpuSeconds = Number.NaN }) => (serverCpuSeconds * 1_000_000) / adds),
      better: "less",
    },
    {
      name: `${name}: longest wait of a live message on other streams`,
      unit: "ms",
      values: results.map(({ live }) => live.max),
      better: "less",
    },
  ];
}
