import { busyCores, type Calls, databaseUsPerCall, serverUsPerCall } from "../support/callers";
import { type BenchDatabase, startDatabase } from "../support/database";
import { runningTarget, startNode, startServer, type Target } from "../support/processes";
import { type CallTiming, callTiming, type Figure, type Question, type RunOptions } from "../support/question";
import { measureByCalls, measureInProcess, measureInsert, type PublishCell } from "./measure";

const CELLS: readonly PublishCell[] = [
  { way: "in process", nodes: 1, callers: 64, bytes: 1_024 },
  { way: "in process", nodes: 1, callers: 256, bytes: 1_024 },
  { way: "in process", nodes: 2, callers: 256, bytes: 1_024 },
  { way: "gRPC", nodes: 1, callers: 64, bytes: 1_024 },
  { way: "gRPC", nodes: 1, callers: 256, bytes: 256 },
  { way: "gRPC", nodes: 1, callers: 256, bytes: 1_024 },
  { way: "gRPC", nodes: 2, callers: 256, bytes: 1_024 },
  { way: "gRPC", nodes: 1, processes: 2, callers: 256, bytes: 1_024 },
];
const TINY: readonly PublishCell[] = [
  { way: "in process", nodes: 1, callers: 16, bytes: 256 },
  { way: "gRPC", nodes: 2, callers: 16, bytes: 256 },
];

/** What one cell came to in one run. */
interface Measured {
  readonly calls: Calls;
  /** Rows per second of the reference. */
  readonly insert: number;
  /** CPU of a bare server for the same call, in microseconds; NaN where nothing goes through the RPC. */
  readonly bareCallUs: number;
}

export const publish: Question = {
  name: "publish",
  asks: "How many durable publishes a second, in process and through the RPC, by one node and by two?",
  run: async (options) => {
    const cells = cellsOf(options);
    const results = cells.map((): Measured[] => []);
    for (let run = 0; run < options.runs; run++) {
      for (const [index, measured] of (await measureRun(cells, options)).entries()) results[index]?.push(measured);
    }
    return cells.flatMap((cell, index) => figures(cell, results[index] ?? []));
  },
};

async function measureRun(cells: readonly PublishCell[], options: RunOptions): Promise<readonly Measured[]> {
  const timing = callTiming(options.effort, 2);
  if (options.address !== undefined) {
    const nodes = options.address.split(",").map(runningTarget);
    const results: Measured[] = [];
    for (const cell of cells) {
      const calls = await measureByCalls({ nodes, database: undefined }, cell, timing);
      results.push({ calls, insert: Number.NaN, bareCallUs: Number.NaN });
    }
    return results;
  }
  await using database = await startDatabase();
  const results: Measured[] = [];
  for (const cell of cells) results.push(await measureCell(database, cell, timing));
  return results;
}

async function measureCell(database: BenchDatabase, cell: PublishCell, timing: CallTiming): Promise<Measured> {
  await using parts = new AsyncDisposableStack();
  const nodes: Target[] = [];
  for (let node = 0; cell.way === "gRPC" && node < cell.nodes; node++) {
    const env = { TIDELINE_PROCESSES: `${cell.processes ?? 1}` };
    nodes.push(parts.use(await startNode({ databaseUrl: database.url, env })));
  }
  const calls =
    cell.way === "gRPC"
      ? await measureByCalls({ nodes, database }, cell, timing)
      : await measureInProcess(database, cell, timing);
  const insert = await measureInsert(database.url, cell, Math.min(timing.seconds, 1));
  return { calls, insert, bareCallUs: cell.way === "gRPC" ? await measureBareCall(cell, timing) : Number.NaN };
}

/** Of a server that answers the same calls and does nothing for them. */
async function measureBareCall(cell: PublishCell, { warmupCalls, seconds }: CallTiming): Promise<number> {
  await using bare = await startServer(["test/bench/support/bare-node.ts"]);
  const timing = { warmupCalls, seconds: Math.min(seconds, 1) };
  return serverUsPerCall(await measureByCalls({ nodes: [bare], database: undefined }, cell, timing));
}

/** Of a running node only what goes through the RPC can be asked, by as many nodes as were named. */
function cellsOf({ effort, address }: RunOptions): readonly PublishCell[] {
  const cells = effort === "tiny" ? TINY : effort === "normal" ? CELLS : allCells();
  if (address === undefined) return cells;
  const nodes = address.split(",").length;
  return cells
    .filter((cell) => cell.way === "gRPC" && cell.nodes === Math.min(nodes, 2) && cell.processes === undefined)
    .map((cell) => ({ ...cell, nodes }));
}

function allCells(): readonly PublishCell[] {
  const ways: readonly PublishCell["way"][] = ["in process", "gRPC"];
  return ways.flatMap((way) =>
    [1, 2].flatMap((nodes) =>
      [64, 256].flatMap((callers) => [256, 1_024].map((bytes) => ({ way, nodes, callers, bytes }))),
    ),
  );
}

function figures(cell: PublishCell, results: readonly Measured[]): readonly Figure[] {
  const { processes = 1 } = cell;
  const nodes = cell.nodes === 1 ? "one node" : `${cell.nodes} nodes`;
  const served = processes === 1 ? nodes : `${nodes} of ${processes} processes`;
  const name = `${cell.way}, ${served}, ${cell.callers} callers, ${cell.bytes} B`;
  const values = (of: (measured: Measured) => number) => results.map(of);
  return [
    {
      name: `${name}: publishes`,
      unit: "1/s",
      values: values(({ calls }) => calls.perSecond),
      reference: { name: "bare INSERT", values: values(({ insert }) => insert) },
      reach: cell.nodes * processes > 1 ? "50 000" : cell.way === "gRPC" ? "25 000" : "35 000",
      better: "more",
    },
    { name: `${name}: p50`, unit: "ms", values: values(({ calls }) => calls.p50), better: "less" },
    { name: `${name}: p99`, unit: "ms", values: values(({ calls }) => calls.p99), better: "less" },
    {
      name: `${name}: CPU of the ${cell.way === "gRPC" ? "nodes" : "process"} a message`,
      unit: "µs",
      values: values(({ calls }) => serverUsPerCall(calls)),
      ...(cell.way === "gRPC" && {
        reference: { name: "bare HTTP/2 server", values: values(({ bareCallUs }) => bareCallUs) },
      }),
      better: "less",
    },
    {
      name: `${name}: CPU of the database a message`,
      unit: "µs",
      values: values(({ calls }) => databaseUsPerCall(calls)),
      better: "less",
    },
    {
      name: `${name}: CPU of all, callers included`,
      unit: "cores",
      values: values(({ calls }) => busyCores(calls, cell.way === "gRPC" ? "apart" : "inside")),
    },
    ...(cell.way === "gRPC"
      ? [
          {
            name: `${name}: load client's share of a core`,
            unit: "",
            values: values(({ calls }) => calls.clientCpuShare),
          },
        ]
      : []),
  ];
}
