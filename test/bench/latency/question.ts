import { embeddedTarget, prefill, prefilledGroup, startDatabase } from "../support/database";
import { emptyTransactionsMs, type Pace } from "../support/empty-transaction";
import { fillByCalls } from "../support/fill-by-calls";
import { runningTarget, startNode, startServer, type Target } from "../support/processes";
import { type Figure, measureSeconds, type Question, quantile, type RunOptions } from "../support/question";
import { type LatencyLoad, measureLatency, serverUsPerPublish } from "./measure";

const RATES = [100, 1_000, 5_000];
const SHAPE = { streams: 100, perConnection: 10 };
/** Calls until what is measured has been compiled, at both ends. */
const WARM_UP_CALLS = 5_000;
const WAVE_RATE = 1_000;
const WAVE_BYTES = 500;
/** Of a node that was given by address: its history is published, which takes longer than a database's filling. */
const PUBLISHED_WAVE = 100_000;

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

const UNMEASURED: Percentiles = { p50: Number.NaN, p99: Number.NaN };

/** One run of everything. */
interface Run {
  readonly node: readonly LatencyLoad[];
  readonly echo: readonly LatencyLoad[];
  /** At the same rates. */
  readonly empty: readonly Percentiles[];
  readonly beside: LatencyLoad;
}

export const latency: Question = {
  name: "latency",
  asks: "How long is it from publishing a message until a stream has it, idle, busy, and beside a long wave?",
  run: async (options) => {
    await using history = await prepare(options);
    const runs: Run[] = [];
    for (let run = 0; run < options.runs; run++) {
      await using target = await history.start();
      await using echo = await startServer(["test/bench/support/bare-node.ts"]);
      runs.push(await measureRun({ target, echo, wave: history.wave }, options));
    }
    return [
      ...ratesOf(options).flatMap((rate, index) => figures(rate, index, runs)),
      ...besideFigures(runs, history.messages),
    ];
  },
};

/** A topic with a long history, and how to get a node that serves it. */
interface History extends AsyncDisposable {
  readonly wave: string;
  readonly messages: number;
  readonly start: () => Promise<Target>;
}

async function prepare({ address, effort }: RunOptions): Promise<History> {
  const messages = effort === "tiny" ? 5_000 : address === undefined ? 1_000_000 : PUBLISHED_WAVE;
  if (address !== undefined) {
    const target = runningTarget(address.split(",")[0] ?? address);
    const group = crypto.getRandomValues(Buffer.alloc(16));
    await fillByCalls(target.address, { group, messages, bytes: WAVE_BYTES });
    return { wave: group.toString("hex"), messages, start: async () => target, [Symbol.asyncDispose]: async () => {} };
  }
  const database = await startDatabase();
  await prefill(database.target, { topics: 1, messages, bytes: WAVE_BYTES });
  return {
    wave: prefilledGroup(0).toString("hex"),
    messages,
    start: () => startNode({ databaseUrl: database.url }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

interface Servers {
  readonly target: Target;
  readonly echo: Target;
  readonly wave: string;
}

async function measureRun({ target, echo, wave }: Servers, options: RunOptions): Promise<Run> {
  const seconds = measureSeconds(options.effort, 2.5);
  const shape = { ...SHAPE, warmUp: options.effort === "tiny" ? 100 : WARM_UP_CALLS };
  const node: LatencyLoad[] = [];
  const bare: LatencyLoad[] = [];
  const empty: Percentiles[] = [];
  const ofReference = Math.min(seconds, 1);
  for (const rate of ratesOf(options)) {
    node.push(await measureLatency(target, { ...shape, rate }, seconds));
    empty.push(await measureEmpty(target, { perSecond: rate, seconds: ofReference }));
    bare.push(await measureLatency(echo, { ...shape, rate }, ofReference));
  }
  const beside = await measureLatency(target, { ...shape, rate: WAVE_RATE, wave }, seconds);
  return { node, echo: bare, empty, beside };
}

async function measureEmpty({ databaseDir }: Target, pace: Pace): Promise<Percentiles> {
  const ms = databaseDir === undefined ? [Number.NaN] : await emptyTransactionsMs(embeddedTarget(databaseDir), pace);
  return { p50: quantile(ms, 0.5), p99: quantile(ms, 0.99) };
}

function ratesOf({ effort }: RunOptions): readonly number[] {
  return effort === "tiny" ? [1_000] : RATES;
}

function figures(rate: number, index: number, runs: readonly Run[]): readonly Figure[] {
  const name = `${rate}/s, 100 streams`;
  const empty = (of: (times: Percentiles) => number) => ({
    name: "empty durable transaction",
    values: runs.map((run) => of(run.empty[index] ?? UNMEASURED)),
  });
  const node = (of: (load: LatencyLoad) => number) => runs.map((run) => pick(run.node, index, of));
  const echo = (of: (load: LatencyLoad) => number) => ({
    name: "echo by a bare server",
    values: runs.map((run) => pick(run.echo, index, of)),
  });
  return [
    {
      name: `${name}, p50`,
      unit: "ms",
      values: node(p50),
      reference: empty(p50),
      reach: "reference + 1 ms",
      better: "less",
    },
    { name: `${name}, p99`, unit: "ms", values: node(p99), reference: empty(p99), reach: "5 ms", better: "less" },
    { name: `${name}, p50 beside an echo`, unit: "ms", values: node(p50), reference: echo(p50), better: "less" },
    { name: `${name}, p99 beside an echo`, unit: "ms", values: node(p99), reference: echo(p99), better: "less" },
    {
      name: `${name}, CPU of the server a message`,
      unit: "µs",
      values: node(serverUsPerPublish),
      reference: echo(serverUsPerPublish),
      better: "less",
    },
    { name: `${name}, load client's share of a core`, unit: "", values: node((load) => load.clientCpuShare) },
  ];
}

function besideFigures(runs: readonly Run[], messages: number): readonly Figure[] {
  const name = `${WAVE_RATE}/s beside a wave of ${messages} messages on the same connection`;
  const values = (of: (load: LatencyLoad) => number) => runs.map((run) => of(run.beside));
  return [
    { name: `${name}, p50`, unit: "ms", values: values(p50), better: "less" },
    { name: `${name}, p99`, unit: "ms", values: values(p99), reach: "50 ms", better: "less" },
    {
      name: `${name}: the wave`,
      unit: "messages/s",
      values: values((load) => load.waveMessagesPerSecond ?? Number.NaN),
      better: "more",
    },
    { name: `${name}, load client's share of a core`, unit: "", values: values((load) => load.clientCpuShare) },
  ];
}

function p50(times: Percentiles): number {
  return times.p50;
}

function p99(times: Percentiles): number {
  return times.p99;
}

function pick(loads: readonly LatencyLoad[], index: number, of: (load: LatencyLoad) => number): number {
  const load = loads[index];
  return load === undefined ? Number.NaN : of(load);
}
