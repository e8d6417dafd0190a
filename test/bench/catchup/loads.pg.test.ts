/** That the loads of catchup, storm, memory, idle and mutate work at all, in the smallest sizes; no figure is judged. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../../support/until";
import { holdStill } from "../idle/measure";
import { HEAP_DOOR } from "../memory/heap";
import { addTopics, holdIdle, stall } from "../memory/measure";
import { mutate } from "../mutate/measure";
import { raiseStorm } from "../storm/measure";
import { type BenchDatabase, startDatabase } from "../support/database";
import { startNode, startServer, type Target } from "../support/processes";
import { catchUp, copyRows, type Way } from "./measure";
import { countAbove, fillShape, headOf, type StoreShape, topicOfId } from "./shape";

const TOPICS = 400;
const SHAPE: StoreShape = { big: 0, topics: TOPICS, spread: TOPICS, bytes: 256 };
const SETTLE_MS = 20;

/** Measures, again when a machine that stood still for the fraction of a second in which that is done has left nothing to see. */
async function measured<T>(measure: () => Promise<T>, isSeen: (found: T) => boolean): Promise<T> {
  const found: T[] = [];
  await until(async () => {
    found.push(await measure());
    return found.slice(-1).every(isSeen);
  }, "a measurement that shows something");
  const last = found.pop();
  if (last === undefined) throw new Error("nothing was measured");
  return last;
}

const parts = new AsyncDisposableStack();
let database: BenchDatabase;
let node: Target;

beforeAll(async () => {
  database = parts.use(await startDatabase());
  await fillShape(database, SHAPE);
  node = parts.use(await startNode({ databaseUrl: database.url, preload: HEAP_DOOR }));
});

afterAll(() => parts.disposeAsync());

test("the arithmetic of a filled store is that of its topics taken in turn", () => {
  const shape: StoreShape = { big: 5, topics: 3, spread: 12, bytes: 256 };
  const topics = Array.from({ length: 17 }, (_, index) => topicOfId(shape, index + 1));
  expect(topics).toEqual([0, 0, 0, 0, 0, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
  for (const topic of [0, 1, 2, 3]) {
    expect(headOf(shape, topic)).toBe(topics.lastIndexOf(topic) + 1);
    for (let cursor = 0; cursor <= 18; cursor++) {
      const above = topics.filter((of, index) => of === topic && index + 1 > cursor).length;
      expect(countAbove(shape, topic, cursor)).toBe(above);
    }
  }
});

describe("on a node, in the smallest sizes,", () => {
  test("catching up brings what the arithmetic says, and COPY the same rows", async () => {
    const messages: Record<Way, number> = { big: 0, spread: TOPICS, recent: Number.NaN, current: 0, waves: TOPICS };
    for (const way of ["spread", "current", "waves"] as const) {
      expect((await catchUp(node, database, SHAPE, way)).messages).toBe(messages[way]);
    }
    expect(await copyRows(database, 0, TOPICS)).toBeGreaterThan(0);
  });

  test("a storm is counted to the row, and each stream gets its message", async () => {
    const size = { streams: 20, topics: 10, connections: 4, seconds: 0.1 };
    const { again, oneEach } = await measured(
      () => raiseStorm({ ...node, databaseDir: database.directory }, size, TOPICS),
      (storm) => storm.again.live.samples > 0,
    );
    expect(again.rowsRead?.byTopic).toBeGreaterThanOrEqual(0);
    expect(oneEach.deliveredMs).toBeGreaterThan(0);
  });

  test("Mutates are acked, memory is seen, and readers that have stalled harm no other", async () => {
    const [mutates, topics, stalled] = await Promise.all([
      mutate(node, { streams: 5, rate: 100, seconds: 0.1, adds: TOPICS }, 0),
      addTopics(node, { topics: 2_000, settleMs: SETTLE_MS }),
      measured(
        () => stall(node, { stalled: 10, seconds: 0.1, fillBytes: 100_000, settleMs: SETTLE_MS }),
        ({ beside }) => beside.liveP99Ms > 0,
      ),
    ]);
    expect(mutates.big.ackMs).toBeGreaterThan(0);
    expect(topics.count).toBe(1_000);
    expect(stalled.beside.end.heapBytes).toBeGreaterThan(0);
  });

  test("the bare servers do what the node does for idle streams", async () => {
    await using pinging = await startServer(["test/bench/idle/reference.ts"], { KEEPALIVE_MS: "200" });
    await using bare = await startServer(["test/bench/support/bare-node.ts"]);
    const [, held] = await Promise.all([
      measured(
        () => holdStill(pinging, { streams: 20, connections: 4, keepaliveMs: 200, seconds: 0.3 }),
        ({ pings }) => pings > 0,
      ),
      holdIdle(bare, { streams: 20, connections: 4, settleMs: SETTLE_MS }),
    ]);
    expect(held.count).toBe(20);
  });
});
