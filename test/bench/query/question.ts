import { type Calls, databaseUsPerCall, serverUsPerCall } from "../support/callers";
import { startDatabase } from "../support/database";
import { startOrUse } from "../support/processes";
import { callTiming, type Figure, type Question, type RunOptions, repeat } from "../support/question";
import { measureQuery, measureSelect, type QueryLoad } from "./measure";

const CALLERS = 64;

/** One run of everything. */
interface Run {
  /** Each query after a send. */
  readonly pairs: QueryLoad;
  readonly queries: QueryLoad;
  /** The bare SELECT; `undefined` when the database is not ours to look at. */
  readonly select: Calls | undefined;
}

export const query: Question = {
  name: "query",
  asks: "How many QueryGroupMessages a second, alone and after each send as an SDK calls it?",
  run: async (options) => figures(await repeat(options.runs, () => measureRun(options))),
};

async function measureRun(options: RunOptions): Promise<Run> {
  const timing = callTiming(options.effort, 3);
  await using database = options.address === undefined ? await startDatabase() : undefined;
  await using node = await startOrUse(options, database === undefined ? {} : { databaseUrl: database.url });
  const targets = { node, database };
  const pairs = await measureQuery(targets, { callers: CALLERS, sends: true }, timing);
  const queries = await measureQuery(targets, { callers: CALLERS, sends: false }, timing);
  const select = database === undefined ? undefined : await measureSelect(database, CALLERS, timing);
  return { pairs, queries, select };
}

function figures(runs: readonly Run[]): readonly Figure[] {
  const select = (of: (calls: Calls) => number) => ({
    name: "bare SELECT",
    values: runs.map((run) => (run.select === undefined ? Number.NaN : of(run.select))),
  });
  const alone = (of: (load: QueryLoad) => number) => runs.map((run) => of(run.queries));
  const pairs = (of: (load: QueryLoad) => number) => runs.map((run) => of(run.pairs));
  const perSecond = (calls: Calls) => calls.perSecond;
  return [
    {
      name: `queries, ${CALLERS} callers`,
      unit: "1/s",
      values: alone(perSecond),
      reference: select(perSecond),
      reach: "15 000",
      better: "more",
    },
    {
      name: "query, p50",
      unit: "ms",
      values: alone((load) => load.queryP50),
      reference: select((calls) => calls.p50),
      better: "less",
    },
    {
      name: "query, p99",
      unit: "ms",
      values: alone((load) => load.queryP99),
      reference: select((calls) => calls.p99),
      better: "less",
    },
    {
      name: "CPU of the node a query (reference: of the program that selects)",
      unit: "µs",
      values: alone(serverUsPerCall),
      reference: select(serverUsPerCall),
      better: "less",
    },
    {
      name: "CPU of the database a query",
      unit: "µs",
      values: alone(databaseUsPerCall),
      reference: select(databaseUsPerCall),
      better: "less",
    },
    { name: "queries: load client's share of a core", unit: "", values: alone((load) => load.clientCpuShare) },
    { name: `send, then query, ${CALLERS} callers: pairs`, unit: "1/s", values: pairs(perSecond), better: "more" },
    { name: "query after a send, p50", unit: "ms", values: pairs((load) => load.queryP50), better: "less" },
    { name: "query after a send, p99", unit: "ms", values: pairs((load) => load.queryP99), better: "less" },
    { name: "CPU of the node a pair", unit: "µs", values: pairs(serverUsPerCall), better: "less" },
    { name: "CPU of the database a pair", unit: "µs", values: pairs(databaseUsPerCall), better: "less" },
    { name: "pairs: load client's share of a core", unit: "", values: pairs((load) => load.clientCpuShare) },
  ];
}
