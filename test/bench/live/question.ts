import { startOrUse, startServer } from "../support/processes";
import { type Figure, measureSeconds, type Question, type RunOptions } from "../support/question";
import { deliveriesPerCore, type LiveCell, type LiveLoad, measureLive } from "./measure";

/** What says most: both counts of streams, both ways to connect, both sizes, all rates. */
const CELLS: readonly LiveCell[] = [
  { streams: 1_000, perConnection: 10, bytes: 256, rate: 1_000 },
  { streams: 1_000, perConnection: 10, bytes: 256, rate: 10_000 },
  { streams: 1_000, perConnection: 10, bytes: 1_024, rate: 10_000 },
  { streams: 1_000, perConnection: 1, bytes: 256, rate: 1_000 },
  { streams: 100, perConnection: 10, bytes: 256, rate: 10_000 },
  { streams: 100, perConnection: 1, bytes: 256, rate: 50_000 },
];
const TINY: readonly LiveCell[] = [{ streams: 20, perConnection: 10, bytes: 256, rate: 1_000 }];

export const live: Question = {
  name: "live",
  asks: "How many live deliveries a second does one process make, beside a bare writer of the same bytes?",
  run: async (options) => {
    const cells = cellsOf(options);
    const node = cells.map((): LiveLoad[] => []);
    const bare = cells.map((): LiveLoad[] => []);
    for (let run = 0; run < options.runs; run++) {
      await using target = await startOrUse(options);
      await using reference = await startServer(["test/bench/support/bare-node.ts"]);
      for (const [index, cell] of cells.entries()) {
        const seconds = measureSeconds(options.effort, 2);
        node[index]?.push(await measureLive(target, cell, seconds));
        bare[index]?.push(await measureLive(reference, cell, seconds));
      }
    }
    return cells.flatMap((cell, index) => figures(cell, node[index] ?? [], bare[index] ?? []));
  },
};

function cellsOf({ effort }: RunOptions): readonly LiveCell[] {
  if (effort === "tiny") return TINY;
  if (effort === "normal") return CELLS;
  return [100, 1_000].flatMap((streams) =>
    [10, 1].flatMap((perConnection) =>
      [256, 1_024].flatMap((bytes) => [1_000, 10_000, 50_000].map((rate) => ({ streams, perConnection, bytes, rate }))),
    ),
  );
}

function figures(cell: LiveCell, node: readonly LiveLoad[], bare: readonly LiveLoad[]): readonly Figure[] {
  const name = `${cell.streams} streams, ${cell.perConnection} a connection, ${cell.bytes} B, ${cell.rate} publishes/s`;
  const both = (value: (load: LiveLoad) => number) => ({
    values: node.map(value),
    reference: { name: "bare writer", values: bare.map(value) },
  });
  return [
    {
      name: `${name}: deliveries`,
      unit: "1/s",
      ...both((load) => load.deliveriesPerSecond),
      better: "more",
    },
    {
      name: `${name}: deliveries per core of the server`,
      unit: "1/s",
      ...both(deliveriesPerCore),
      ...(cell.streams >= 1_000 ? { reach: "500 000, then half of the reference" } : {}),
      better: "more",
    },
    { name: `${name}: load client's share of a core`, unit: "", ...both((load) => load.clientCpuShare) },
  ];
}
