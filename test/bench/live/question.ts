import { cpuSeconds } from "../../support/serve-process";
import { runJson, runningTarget, startNode, startServer, type Target } from "../support/processes";
import type { Figure, Question, RunOptions } from "../support/question";

interface LoadResult {
  readonly deliveriesPerSecond: number;
  readonly clientCpuShare: number;
}

interface Measured extends LoadResult {
  /** Deliveries per second of CPU time of the server; NaN if the server is not ours to look at. */
  readonly perCore: number;
}

const SETTINGS = { streams: 1_000, connections: 100, bytes: 256, batch: 16, seconds: 4 };

export const live: Question = {
  name: "live",
  asks: "How many live deliveries a second does one process make, beside a bare writer of the same bytes?",
  run: async (options) => {
    const node: Measured[] = [];
    const bare: Measured[] = [];
    for (let run = 0; run < options.runs; run++) {
      node.push(await measure(() => startOrUse(options)));
      bare.push(await measure(() => startServer(["test/bench/live/reference.ts"])));
    }
    const shape = `${SETTINGS.streams} streams, ${SETTINGS.streams / SETTINGS.connections} per connection, ${SETTINGS.bytes} B`;
    return [
      figure(`deliveries, ${shape}`, "1/s", [node, bare], (result) => result.deliveriesPerSecond),
      {
        ...figure("deliveries per core of the server", "1/s", [node, bare], (result) => result.perCore),
        reach: "500 000 at 1 000 streams, then half of the reference",
      },
      figure("load client's share of a core", "", [node, bare], (result) => result.clientCpuShare),
    ];
  },
};

function startOrUse(options: RunOptions): Promise<Target> {
  return options.address === undefined ? startNode() : Promise.resolve(runningTarget(options.address));
}

async function measure(start: () => Promise<Target>): Promise<Measured> {
  await using target = await start();
  const flags = Object.entries(SETTINGS).map(([name, value]) => `--${name}=${value}`);
  const before = target.pid === undefined ? Number.NaN : cpuSeconds(target.pid);
  const result = await runJson<LoadResult & { readonly delivered: number }>([
    "test/bench/live/load.ts",
    `--address=${target.address}`,
    ...flags,
  ]);
  const cpu = target.pid === undefined ? Number.NaN : cpuSeconds(target.pid) - before;
  return { ...result, perCore: result.delivered / cpu };
}

function figure(
  name: string,
  unit: string,
  [node, bare]: readonly [readonly Measured[], readonly Measured[]],
  value: (result: Measured) => number,
): Figure {
  return { name, unit, values: node.map(value), reference: { name: "bare writer", values: bare.map(value) } };
}
