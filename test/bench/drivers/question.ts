import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock";
import { silentLogger } from "../../../src/base/log";
import { topicOf } from "../../../src/core/topic";
import { locateBinaries } from "../../../src/store/embedded/binaries";
import { startEmbedded } from "../../../src/store/embedded/database";
import { migrate } from "../../../src/store/migrate";
import { openStore } from "../../../src/store/store";
import type { DatabaseTarget } from "../../../src/store/target";
import { type Effort, type Figure, type Question, quantile, type RunOptions } from "../support/question";
import { connect, DRIVERS, type DriverName } from "./connections";
import { fill } from "./fill";
import { TASKS } from "./tasks";

/** How long each task of each driver is measured, in milliseconds. */
const MEASURE_MS = { tiny: 50, normal: 800, full: 3_000 } as const satisfies Record<Effort, number>;
const WARM_UP_STEPS = 8;
const CLIENTS = 64;

interface Sample {
  readonly perSecond: number;
  /** CPU time of this process for one row, in microseconds. */
  readonly cpuUs: number;
}

export const drivers: Question = {
  name: "drivers",
  asks: "How fast does each driver append and read under Drizzle, and how fast does the store publish with it?",
  run: async (options) => {
    const directory = mkdtempSync(join(tmpdir(), "tideline-bench-"));
    try {
      const host = { binaries: locateBinaries(), clock: systemClock, log: silentLogger };
      await using server = await startEmbedded({ ...host, dataDir: join(directory, "data") });
      await migrate(server.target);
      {
        await using connection = connect("Bun.sql", server.target);
        await fill(connection);
      }
      return [...(await compare(server.target, options)), ...(await publish(server.target, options))];
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

async function compare(target: DatabaseTarget, { runs, effort }: RunOptions): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const task of TASKS) {
    const samples: Record<DriverName, Sample[]> = { "Bun.sql": [], "postgres.js": [] };
    for (let run = 0; run < runs; run++) {
      for (const driver of DRIVERS) {
        await using connection = connect(driver, target);
        samples[driver].push(await measure(task.prepare(connection), MEASURE_MS[effort]));
      }
    }
    const figure = (name: string, unit: string, value: (sample: Sample) => number): Figure => ({
      name: `${task.name}${name}`,
      unit,
      values: samples["Bun.sql"].map(value),
      reference: { name: "postgres.js", values: samples["postgres.js"].map(value) },
    });
    figures.push(figure("", `${task.unit}/s`, ({ perSecond }) => perSecond));
    figures.push(figure(", CPU of the client", `µs/${task.unit.slice(0, -1)}`, ({ cpuUs }) => cpuUs));
  }
  return figures;
}

async function measure(step: () => Promise<number>, forMs: number): Promise<Sample> {
  for (let nth = 0; nth < WARM_UP_STEPS; nth++) await step();
  const [cpuBefore, since] = [process.cpuUsage(), performance.now()];
  let rows = 0;
  while (performance.now() - since < forMs) rows += await step();
  const [ms, cpu] = [performance.now() - since, process.cpuUsage(cpuBefore)];
  return { perSecond: (rows / ms) * 1_000, cpuUs: (cpu.user + cpu.system) / rows };
}

/** Publishing as the node does it: a message per request, many requests at once. */
async function publish(target: DatabaseTarget, { runs, effort }: RunOptions): Promise<readonly Figure[]> {
  const rates: number[] = [];
  const waits: number[][] = [];
  for (let run = 0; run < runs; run++) {
    await using store = await openStore({ target, clock: systemClock, log: silentLogger });
    const appender = store.appender({ onCommitted: () => {} });
    const ms: number[] = [];
    const since = performance.now();
    const client = async () => {
      const [topic, body] = [topicOf(0, randomBytes(32)), randomBytes(1_024)];
      while (performance.now() - since < 2 * MEASURE_MS[effort]) {
        const sent = performance.now();
        await appender.append([{ kind: 0, topic, digest: randomBytes(32), arm: 1, body }]);
        ms.push(performance.now() - sent);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    rates.push((ms.length / (performance.now() - since)) * 1_000);
    waits.push(ms);
  }
  const name = `the store: ${CLIENTS} clients publish 1 KiB each`;
  return [
    { name, unit: "messages/s", values: rates, reach: "35 000" },
    { name: `${name}, p50`, unit: "ms", values: waits.map((ms) => quantile(ms, 0.5)) },
    { name: `${name}, p99`, unit: "ms", values: waits.map((ms) => quantile(ms, 0.99)) },
  ];
}

function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count));
}
