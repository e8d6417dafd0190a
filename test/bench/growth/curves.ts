/** What is measured of growth: a few points a curve, a power of four apart. */

import { measureLive } from "../live/measure";
import { measureInProcess } from "../publish/measure";
import { type BenchDatabase, prefill, startDatabase } from "../support/database";
import { startNode } from "../support/processes";
import type { Curve, Point } from "./curve";
import { loadStream } from "./stream-load";

export interface GrowthOptions {
  /** Fewer and smaller points. */
  readonly tiny: boolean;
  /** Of each load. */
  readonly seconds: number;
  readonly onPoint?: (point: Point) => void;
}

export interface Growth {
  readonly name: string;
  readonly measure: (options: GrowthOptions) => Promise<Curve>;
}

/** Number of a topic that nothing was put on. */
const NO_TOPIC = 1 << 24;

export const GROWTHS: readonly Growth[] = [
  { name: "deliveries", measure: deliveriesWithStreams },
  { name: "memory", measure: memoryWithTopics },
  { name: "catchup", measure: catchUpWithHistory },
  { name: "nodes", measure: publishWithNodes },
  { name: "waves", measure: wavesWithTopics },
];

async function deliveriesWithStreams({ tiny, seconds, onPoint }: GrowthOptions): Promise<Curve> {
  await using node = await startNode();
  const points = await measurePoints(tiny ? [4, 16] : [16, 64, 256, 1_024, 4_096], onPoint, async (streams) => {
    const cell = { streams, perConnection: 10, bytes: 256, rate: 500 };
    const load = await measureLive(node, cell, seconds);
    return ((load.serverCpuSeconds ?? Number.NaN) * 1e6) / load.measuredPublishes;
  });
  return {
    name: "Deliveries with streams",
    x: "streams on one topic",
    y: "CPU of the node for a message to all of them, µs",
    points,
  };
}

async function memoryWithTopics({ tiny, onPoint }: GrowthOptions): Promise<Curve> {
  const points = await measurePoints(
    tiny ? [1_000, 16_000] : [4_000, 16_000, 64_000, 256_000],
    onPoint,
    async (topics) => {
      await using node = await startNode();
      return (await loadStream(node, 0, topics)).rssBytes;
    },
  );
  return { name: "Memory with topics", x: "topics on one stream", y: "growth of the node's memory, bytes", points };
}

async function catchUpWithHistory({ tiny, onPoint }: GrowthOptions): Promise<Curve> {
  const histories = tiny ? [100, 400] : [1_000, 4_000, 16_000, 64_000, 256_000, 1_024_000];
  await using database = await startDatabase();
  for (const [topic, messages] of histories.entries()) {
    await prefill(database.target, { topics: 1, messages, bytes: 500, firstTopic: topic });
  }
  const points = await measureWaves({
    database,
    xs: histories,
    waveOf: (messages) => ({ first: histories.indexOf(messages), topics: 1 }),
    onPoint,
  });
  return {
    name: "Catch-up with history",
    x: "messages of 500 B on one topic",
    y: "time until all have come, ms",
    points,
  };
}

async function publishWithNodes({ tiny, seconds, onPoint }: GrowthOptions): Promise<Curve> {
  await using database = await startDatabase();
  const points = await measurePoints(tiny ? [1, 2] : [1, 2, 4], onPoint, async (nodes) => {
    const cell = { way: "in process", nodes, callers: 64 * nodes, bytes: 1_024 } as const;
    return (await measureInProcess(database, cell, { warmupCalls: tiny ? 100 : 10_000, seconds })).perSecond;
  });
  return {
    name: "Publish with nodes",
    x: "nodes on one database, 64 callers each",
    y: "publishes of 1 KiB a second",
    points,
  };
}

async function wavesWithTopics({ tiny, onPoint }: GrowthOptions): Promise<Curve> {
  const counts = tiny ? [16, 64] : [64, 256, 1_024, 4_096, 16_384, 65_536];
  const most = Math.max(...counts);
  await using database = await startDatabase();
  await prefill(database.target, { topics: most, messages: most, bytes: 500 });
  const points = await measureWaves({ database, xs: counts, waveOf: (topics) => ({ first: 0, topics }), onPoint });
  return {
    name: "Waves with topics",
    x: "topics with one new message each",
    y: "time until all have come, ms",
    points,
  };
}

interface Wave {
  readonly first: number;
  readonly topics: number;
}

interface Waves {
  readonly database: BenchDatabase;
  readonly xs: readonly number[];
  readonly waveOf: (x: number) => Wave;
  readonly onPoint: GrowthOptions["onPoint"];
}

/** A fresh node for each point, so that nothing is in its memory yet; the first stream warms its code. */
function measureWaves({ database, xs, waveOf, onPoint }: Waves): Promise<readonly Point[]> {
  return measurePoints(xs, onPoint, async (x) => {
    await using node = await startNode({ databaseUrl: database.url });
    const { first, topics } = waveOf(x);
    // Without its pid: memory, for which the load would wait, is another curve's.
    const target = { ...node, pid: undefined };
    await loadStream(target, NO_TOPIC, 1);
    return (await loadStream(target, first, topics)).ms;
  });
}

async function measurePoints(
  xs: readonly number[],
  onPoint: GrowthOptions["onPoint"],
  measure: (x: number) => Promise<number>,
): Promise<readonly Point[]> {
  const points: Point[] = [];
  for (const x of xs) {
    const y = await measure(x);
    onPoint?.({ x, y });
    // Memory that shrank while it was looked at says nothing.
    if (y > 0) points.push({ x, y });
  }
  return points;
}
