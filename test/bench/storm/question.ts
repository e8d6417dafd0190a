import { fillShape } from "../catchup/shape";
import { startDatabase } from "../support/database";
import { runningTarget, startNode } from "../support/processes";
import { type Effort, type Figure, type Question, type RunOptions, repeat } from "../support/question";
import { raiseStorm, type Storm, type StormLoad, type StormSize } from "./measure";

/** Unless full, a fifth of the storm at the same pace. */
const SIZES = {
  tiny: { streams: 40, topics: 10, connections: 4, seconds: 0.2 },
  normal: { streams: 2_000, topics: 100, connections: 200, seconds: 6 },
  full: { streams: 10_000, topics: 100, connections: 1_000, seconds: 30 },
} as const satisfies Record<Effort, StormSize>;

/** Topics there are for each stream: one of its own, the others are shared by about eleven streams each. */
const TOPICS_PER_STREAM = 10;

export const storm: Question = {
  name: "storm",
  asks: "What does it cost when all streams reconnect and nothing is new, and how do others fare meanwhile?",
  run: async (options) => {
    const size = SIZES[options.effort];
    return figures(size, await repeat(options.runs, () => measure(options, size)));
  },
};

async function measure({ address }: RunOptions, size: StormSize): Promise<StormLoad> {
  if (address !== undefined) return await raiseStorm(runningTarget(address), size, 0);
  const filled = size.streams * TOPICS_PER_STREAM;
  await using database = await startDatabase();
  await fillShape(database, { big: 0, topics: filled, spread: filled, bytes: 256 });
  await using node = await startNode({ databaseUrl: database.url });
  return await raiseStorm({ ...node, databaseDir: database.directory }, size, filled);
}

function figures(size: StormSize, loads: readonly StormLoad[]): readonly Figure[] {
  const { streams, topics, seconds } = size;
  const what = `${streams.toLocaleString("en")} streams x ${topics} current topics over ${seconds} s`;
  const values = (of: (load: StormLoad) => number) => loads.map(of);
  const oneEach = `then one message to each of ${streams.toLocaleString("en")} streams`;
  return [
    ...stormFigures(
      `${what}, reconnecting`,
      size,
      loads.map(({ again }) => again),
    ),
    ...stormFigures(
      `${what}, node just started`,
      size,
      loads.map(({ first }) => first),
    ),
    {
      name: `${oneEach}: all delivered`,
      unit: "ms",
      values: values(({ oneEach }) => oneEach.deliveredMs),
      better: "less",
    },
    {
      name: `${oneEach}: CPU of the node`,
      unit: "µs/message",
      values: values(({ oneEach }) => ((oneEach.serverCpuSeconds ?? Number.NaN) * 1_000_000) / streams),
      better: "less",
    },
  ];
}

function stormFigures(what: string, { streams, seconds }: StormSize, storms: readonly Storm[]): readonly Figure[] {
  const values = (of: (storm: Storm) => number) => storms.map(of);
  const figure = (name: string, unit: string, of: (storm: Storm) => number): Figure => ({
    name: `${what}: ${name}`,
    unit,
    values: values(of),
    better: "less",
  });
  return [
    { ...figure("rows read by topic", "rows", ({ rowsRead }) => rowsRead?.byTopic ?? Number.NaN), reach: "0" },
    figure("rows read by id, the live load's among them", "rows", ({ rowsRead }) => rowsRead?.byId ?? Number.NaN),
    { ...figure("all complete", "ms", ({ completeMs }) => completeMs), reach: `${seconds} s and little more` },
    figure("a stream from connecting to caught up, p50", "ms", ({ p50 }) => p50),
    figure("a stream from connecting to caught up, p99", "ms", ({ p99 }) => p99),
    {
      ...figure("live p99 of 20 other streams", "ms", ({ live }) => live.p99),
      reference: { name: "just before", values: values(({ calm }) => calm.p99) },
      reach: "50",
    },
    figure(
      "CPU of the node beyond the live load's",
      "µs/stream",
      ({ serverCpuSeconds }) => (serverCpuSeconds * 1_000_000) / streams,
    ),
    {
      name: `${what}: load client's share of a core`,
      unit: "",
      values: values(({ clientCpuShare }) => clientCpuShare),
    },
  ];
}
