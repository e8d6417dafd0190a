import { startNode, startServer, type Target } from "../support/processes";
import { type Effort, type Figure, type Question, repeat } from "../support/question";
import { holdStill, type Idle, type IdleSize, share } from "./measure";
import { measureRest, type Rest } from "./rest";

/** Unless full, there are more Pings in a shorter time; what they take is then divided. */
const SIZES = {
  tiny: { streams: 100, connections: 10, keepaliveMs: 200, seconds: 0.5 },
  normal: { streams: 10_000, connections: 1_000, keepaliveMs: 2_000, seconds: 4 },
  full: { streams: 10_000, connections: 1_000, keepaliveMs: 30_000, seconds: 60 },
} as const satisfies Record<Effort, IdleSize>;

/** How often a node pings unless told otherwise. */
const USUAL_KEEPALIVE_MS = 30_000;
/** For how long a server without streams is watched. */
const EMPTY_SECONDS = 2;

interface Cost {
  readonly empty: Idle;
  readonly held: Idle;
}

export const idle: Question = {
  name: "idle",
  asks: "What does a node do for streams that only wait, beside a bare server that sends the same Pings?",
  run: async ({ address, runs, effort }) => {
    if (address !== undefined) {
      console.error("idle looks at the server's CPU time: it cannot be asked of a running node");
      return [];
    }
    const size = SIZES[effort];
    const rounds = await repeat(runs, async () => ({
      rest: await measureRest(),
      node: await measure(size, () => startNode({ env: { TIDELINE_KEEPALIVE_MS: `${size.keepaliveMs}` } })),
      bare: await measure(size, () =>
        startServer(["test/bench/idle/reference.ts"], { KEEPALIVE_MS: `${size.keepaliveMs}` }),
      ),
    }));
    return figures(size, rounds);
  },
};

async function measure(size: IdleSize, start: () => Promise<Target>): Promise<Cost> {
  await using server = await start();
  const seconds = Math.min(EMPTY_SECONDS, size.seconds);
  const empty = await holdStill(server, { ...size, streams: 0, seconds });
  return { empty, held: await holdStill(server, size) };
}

interface Round {
  readonly node: Cost;
  readonly bare: Cost;
  readonly rest: Rest;
}

function figures(size: IdleSize, rounds: readonly Round[]): readonly Figure[] {
  const { streams, connections, keepaliveMs } = size;
  const what = `${streams.toLocaleString("en")} idle streams on ${connections.toLocaleString("en")} connections`;
  const reference = "bare server, the same Pings";
  return [
    {
      name: `${what}, Pings at 30 s`,
      unit: "% of a core",
      values: rounds.map(({ node }) => atUsualPace(node, keepaliveMs) * 100),
      reference: { name: reference, values: rounds.map(({ bare }) => atUsualPace(bare, keepaliveMs) * 100) },
      reach: "2",
      better: "less",
    },
    {
      name: "of that without any stream",
      unit: "% of a core",
      values: rounds.map(({ node }) => share(node.empty) * 100),
      reference: { name: reference, values: rounds.map(({ bare }) => share(bare.empty) * 100) },
      better: "less",
    },
    {
      name: "a Ping and its Pong",
      unit: "µs",
      values: rounds.map(({ node }) => perPing(node)),
      reference: { name: reference, values: rounds.map(({ bare }) => perPing(bare)) },
      better: "less",
    },
    {
      name: "the machine: a page of memory that has rested for 1 s",
      unit: "µs",
      values: rounds.map(({ rest }) => rest.restedUs),
      reference: { name: "touched just before", values: rounds.map(({ rest }) => rest.atOnceUs) },
    },
  ];
}

/** What was measured with more Pings, as if they came at the usual interval. */
function atUsualPace({ empty, held }: Cost, keepaliveMs: number): number {
  return share(empty) + ((share(held) - share(empty)) * keepaliveMs) / USUAL_KEEPALIVE_MS;
}

function perPing({ empty, held }: Cost): number {
  return ((share(held) - share(empty)) * held.ms * 1_000) / held.pings;
}
