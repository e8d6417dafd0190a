import { type RowsRead, rowsBetween, rowsRead } from "../memory/costs";
import { type BenchDatabase, startDatabase } from "../support/database";
import { startNode } from "../support/processes";
import { type Effort, type Figure, type Question, repeat } from "../support/question";
import { type CatchUp, catchUp, copyRows } from "./measure";
import { fillShape, type StoreShape } from "./shape";

const SHAPES = {
  tiny: { big: 2_000, topics: 100, spread: 2_000, bytes: 500 },
  normal: { big: 200_000, topics: 10_000, spread: 200_000, bytes: 500 },
  full: { big: 1_000_000, topics: 10_000, spread: 1_000_000, bytes: 500 },
} as const satisfies Record<Effort, StoreShape>;

/** One run on a node that has just started; from `recent` on its code has run once before. */
interface Round {
  readonly coldRows: RowsRead;
  readonly cold: CatchUp;
  readonly warmRows: RowsRead;
  readonly warm: CatchUp;
  readonly recent: CatchUp;
  readonly spread: CatchUp;
  readonly big: CatchUp;
  readonly waves: CatchUp;
  readonly copyBig: number;
  readonly copySpread: number;
}

export const catchup: Question = {
  name: "catchup",
  asks: "How fast does a stream get what it has missed, beside a COPY of the same rows, and what does having missed nothing cost?",
  run: async ({ address, runs, effort }) => {
    if (address !== undefined) {
      console.error("catchup fills a database before a node starts on it: it cannot be asked of a running node");
      return [];
    }
    const shape = SHAPES[effort];
    await using database = await startDatabase();
    await fillShape(database, shape);
    return figures(shape, await repeat(runs, () => measureRound(database, shape)));
  },
};

async function measureRound(database: BenchDatabase, shape: StoreShape): Promise<Round> {
  await using node = await startNode({ databaseUrl: database.url });
  const atStart = await rowsRead(database.target);
  const cold = await catchUp(node, database, shape, "current");
  const afterCold = await rowsRead(database.target);
  const warm = await catchUp(node, database, shape, "current");
  const afterWarm = await rowsRead(database.target);
  for (const way of ["recent", "spread", "big", "waves"] as const) await catchUp(node, database, shape, way);
  return {
    coldRows: rowsBetween(atStart, afterCold),
    cold,
    warmRows: rowsBetween(afterCold, afterWarm),
    warm,
    recent: await catchUp(node, database, shape, "recent"),
    spread: await catchUp(node, database, shape, "spread"),
    big: await catchUp(node, database, shape, "big"),
    waves: await catchUp(node, database, shape, "waves"),
    copyBig: await copyRows(database, 0, shape.big),
    copySpread: await copyRows(database, shape.big, shape.big + shape.spread),
  };
}

function figures({ big, topics, spread }: StoreShape, rounds: readonly Round[]): readonly Figure[] {
  const [bigRows, spreadRows, topicCount] = [big, spread, topics].map((count) => count.toLocaleString("en"));
  const fromStart = `from 0 over ${bigRows} messages of one topic`;
  const fromStartSpread = `from 0 over ${spreadRows} messages of ${topicCount} topics`;
  const recent = `${topicCount} topics from recent cursors`;
  const current = `${topicCount} current topics`;
  const many = `100 waves at once over ${spreadRows} messages`;
  return [
    rate(
      fromStart,
      rounds,
      ({ big }) => big,
      ({ copyBig }) => copyBig,
    ),
    ...costs(fromStart, rounds, ({ big }) => big),
    rate(
      fromStartSpread,
      rounds,
      ({ spread }) => spread,
      ({ copySpread }) => copySpread,
    ),
    ...costs(fromStartSpread, rounds, ({ spread }) => spread),
    waits(`${fromStartSpread}: first frame`, rounds, ({ spread }) => spread.firstFrameMs),
    waits(`${recent}: first frame`, rounds, ({ recent }) => recent.firstFrameMs),
    { name: `${recent}: complete`, unit: "ms", values: rounds.map(({ recent }) => recent.ackMs), better: "less" },
    waits(`${current}, node just started: ack`, rounds, ({ cold }) => cold.ackMs),
    noRows(`${current}, node just started`, rounds, ({ coldRows }) => coldRows),
    waits(`${current}: ack`, rounds, ({ warm }) => warm.ackMs),
    noRows(current, rounds, ({ warmRows }) => warmRows),
    rate(
      many,
      rounds,
      ({ waves }) => waves,
      ({ copySpread }) => copySpread,
    ),
    ...costs(many, rounds, ({ waves }) => waves),
    waits(`${many}: first frame of the last`, rounds, ({ waves }) => waves.lastFirstFrameMs),
    { name: "load client's share of a core, one topic", unit: "", values: rounds.map(({ big }) => big.clientCpuShare) },
  ];
}

function rate(
  name: string,
  rounds: readonly Round[],
  of: (round: Round) => CatchUp,
  copied: (round: Round) => number,
): Figure {
  const values = rounds.map((round) => of(round).messagesPerSecond);
  const reference = { name: "COPY", values: rounds.map(copied) };
  return { name, unit: "messages/s", values, reference, reach: "300 000", better: "more" };
}

/** What a message costs the node, and what it costs the database. */
function costs(name: string, rounds: readonly Round[], of: (round: Round) => CatchUp): readonly Figure[] {
  const perMessage = (whose: string, seconds: (catchUp: CatchUp) => number): Figure => ({
    name: `${name}: CPU of the ${whose}`,
    unit: "µs/message",
    values: rounds.map((round) => (seconds(of(round)) * 1_000_000) / of(round).messages),
    better: "less",
  });
  return [
    perMessage("node", ({ nodeCpuSeconds }) => nodeCpuSeconds),
    perMessage("database", ({ databaseCpuSeconds }) => databaseCpuSeconds),
  ];
}

function waits(name: string, rounds: readonly Round[], ms: (round: Round) => number): Figure {
  return { name, unit: "ms", values: rounds.map(ms), reach: "50", better: "less" };
}

function noRows(name: string, rounds: readonly Round[], of: (round: Round) => RowsRead): Figure {
  const values = rounds.map((round) => of(round).byTopic + of(round).byId);
  return { name: `${name}: rows read`, unit: "rows", values, reach: "0", better: "less" };
}
