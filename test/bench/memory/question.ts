import { startNode, startServer } from "../support/processes";
import { type Effort, type Figure, type Question, repeat } from "../support/question";
import { HEAP_DOOR } from "./heap";
import { addTopics, type Growth, holdIdle, type Stalled, stall, type UnderLoad } from "./measure";

const SIZES = {
  tiny: { streams: 100, perConnection: 10, topics: 2_000, stalled: 20, seconds: 0.1, settleMs: 50 },
  normal: { streams: 4_000, perConnection: 10, topics: 500_000, stalled: 1_000, seconds: 2, settleMs: 600 },
  full: { streams: 10_000, perConnection: 10, topics: 1_000_000, stalled: 1_000, seconds: 30, settleMs: 2_000 },
} as const satisfies Record<Effort, object>;
type Size = (typeof SIZES)[Effort];

const MIB = 1 << 20;
/**
 * Small, so that the tail is soon full: what it still has to take would count as a rise. And as many messages of 1 KiB are
 * more than a stream notes offsets for that are due.
 */
const TAIL_BYTES = 8 * MIB;

interface Round {
  readonly shared: Growth;
  readonly sharedBare: Growth;
  readonly own: Growth;
  readonly ownBare: Growth;
  readonly topics: Growth;
  readonly stalled: Stalled;
}

export const memory: Question = {
  name: "memory",
  asks: "What memory does a stream take beyond a bare HTTP/2 stream, what a topic, and what a reader that has stalled?",
  run: async ({ address, runs, effort }) => {
    if (address !== undefined) {
      console.error("memory looks into the server's process: it cannot be asked of a running node");
      return [];
    }
    const size = SIZES[effort];
    return figures(size, await repeat(runs, () => measureRound(size)));
  },
};

async function measureRound({ streams, perConnection, topics, stalled, seconds, settleMs }: Size): Promise<Round> {
  const shared = { streams, connections: streams / perConnection, settleMs };
  const own = { streams, connections: streams, settleMs };
  return {
    shared: await onNode((node) => holdIdle(node, shared)),
    sharedBare: await onBare((bare) => holdIdle(bare, shared)),
    own: await onNode((node) => holdIdle(node, own)),
    ownBare: await onBare((bare) => holdIdle(bare, own)),
    topics: await onNode((node) => addTopics(node, { topics, settleMs })),
    stalled: await besideStalled({ stalled, seconds, settleMs, fillBytes: TAIL_BYTES }),
  };
}

async function besideStalled(size: Parameters<typeof stall>[1]): Promise<Stalled> {
  await using node = await startNode({ preload: HEAP_DOOR, env: { TIDELINE_TAIL_BYTES: `${size.fillBytes}` } });
  return await stall(node, size);
}

type Server = Awaited<ReturnType<typeof startNode>>;

async function onNode<T>(measure: (node: Server) => Promise<T>): Promise<T> {
  await using node = await startNode();
  return await measure(node);
}

async function onBare<T>(measure: (bare: Server) => Promise<T>): Promise<T> {
  await using bare = await startServer(["test/bench/support/bare-node.ts"]);
  return await measure(bare);
}

function figures({ streams, perConnection, topics }: Size, rounds: readonly Round[]): readonly Figure[] {
  const count = streams.toLocaleString("en");
  return [
    ...idle(
      `idle stream, ${count}, ${perConnection} per connection`,
      rounds.map(({ shared, sharedBare }) => [shared, sharedBare]),
    ),
    ...idle(
      `idle stream, ${count}, one per connection`,
      rounds.map(({ own, ownBare }) => [own, ownBare]),
    ),
    {
      name: `topic, ${topics.toLocaleString("en")} on one stream`,
      unit: "B",
      values: rounds.map(({ topics }) => each(topics)),
      reach: "200",
      better: "less",
    },
    ...besideThem(rounds.map(({ stalled }) => stalled)),
  ];
}

/** What stalled readers cost, and whether that goes on. */
function besideThem(rounds: readonly Stalled[]): readonly Figure[] {
  const load = `live load beside ${rounds[0]?.stalled.toLocaleString("en")} stalled readers`;
  const beside = (name: string, unit: string, of: (load: UnderLoad) => number) => ({
    name: `${load}: ${name}`,
    unit,
    values: rounds.map((round) => of(round.beside)),
    reference: { name: "without them", values: rounds.map((round) => of(round.alone)) },
    better: "less" as const,
  });
  const mib = (name: string, of: (load: UnderLoad) => number) => beside(name, "MiB", (load) => of(load) / MIB);
  return [
    mib("the most that resident memory rises by", ({ before, peakBytes }) => peakBytes - before.rssBytes),
    mib("resident memory without garbage, rise", ({ before, end }) => end.rssBytes - before.rssBytes),
    {
      ...mib("the same once all have stalled", ({ stalled, end }) => end.rssBytes - stalled.rssBytes),
      reach: "flat",
    },
    mib("heap without garbage, rise", ({ before, end }) => end.heapBytes - before.heapBytes),
    {
      ...mib("the same once all have stalled", ({ stalled, end }) => end.heapBytes - stalled.heapBytes),
      reach: "flat",
    },
    beside("p99 of 20 other streams", "ms", ({ liveP99Ms }) => liveP99Ms),
  ];
}

/** What a stream takes, its share of its connection included, and what of that the bare stream does not. */
function idle(name: string, pairs: readonly (readonly [node: Growth, bare: Growth])[]): readonly Figure[] {
  return [
    {
      name,
      unit: "B",
      values: pairs.map(([node]) => each(node)),
      reference: { name: "bare h2 stream", values: pairs.map(([, bare]) => each(bare)) },
      better: "less",
    },
    {
      name: `${name}: beyond the bare one`,
      unit: "B",
      values: pairs.map(([node, bare]) => each(node) - each(bare)),
      reach: "8 192",
      better: "less",
    },
  ];
}

function each({ bytes, count }: Growth): number {
  return bytes / count;
}
