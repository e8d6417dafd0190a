import { afterEach, beforeEach, expect, test } from "bun:test";
import { createLogger, silentLogger } from "../../src/base/log";
import { createMetrics } from "../../src/base/metrics";
import type { Topic } from "../../src/core/topic";
import { createFeed, type RunningFeed } from "../../src/feed/feed";
import { missing, missingToPublish, type Readiness } from "../../src/operator/admin";
import { CANARY_PREFIX, type Canary, startCanary } from "../../src/serve/canary";
import { StoreError } from "../../src/store/error";
import type { Deleter } from "../../src/store/types";
import { encodeEntry } from "../../src/wire/entry";
import { type MemoryReader, MemoryStore } from "../support/memory-store";
import { VirtualClock } from "../support/virtual-clock";

const EVERY_MS = 5_000;
const COMMIT_MS = 50;

let clock: VirtualClock;
let store: MemoryStore;
let feed: RunningFeed;
let reader: MemoryReader;
let canary: Canary;
let start: () => Canary;
let metrics: ReturnType<typeof createMetrics>;
let lines: string[];
let deleted: { readonly prefix: Topic; readonly at: number }[];
/** What publishing fails with; `undefined`: it works. */
let failure: StoreError | undefined;
/** How long a commit takes, in milliseconds. */
let commitMs: number;

beforeEach(async () => {
  clock = new VirtualClock(1_000);
  store = new MemoryStore(clock);
  metrics = createMetrics();
  lines = [];
  deleted = [];
  failure = undefined;
  commitMs = COMMIT_MS;
  feed = createFeed({
    reader: store.reader(),
    openAppender: (onCommitted) => {
      const appender = store.appender(onCommitted, () => ({ there: commitMs, back: 0 }));
      return { append: (request) => (failure === undefined ? appender.append(request) : Promise.reject(failure)) };
    },
    encode: encodeEntry,
    clock,
    log: silentLogger,
    options: { tickMs: 3_600_000, pollMs: 3_600_000 },
  });
  await feed.start();
  reader = store.reader();
  const deleter: Pick<Deleter, "deleteBeginning"> = {
    deleteBeginning: async (prefix) => deleted.push({ prefix, at: clock.now() }),
  };
  const log = createLogger({ level: "info", format: "json", write: (line) => lines.push(line), wallMs: () => 0 });
  start = () => startCanary({ feed, reader, deleter, everyMs: EVERY_MS, metrics: metrics.canary, clock, log });
  canary = start();
});

/** Another one, on a standby from the beginning. */
async function startOnStandby(): Promise<void> {
  await canary[Symbol.asyncDispose]();
  await pass(200);
  store.isStandby = true;
  canary = start();
}

afterEach(async () => {
  await canary[Symbol.asyncDispose]();
  await feed[Symbol.asyncDispose]();
});

/** Lets time pass, and all that follows happen. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= COMMIT_MS) {
    await clock.advanceAsync(Math.min(COMMIT_MS, left));
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

const readiness = (): Readiness => ({
  migrated: true,
  lookedOnce: true,
  notifications: "polling",
  canary: canary.state,
});
const lacks = () => missing(readiness());
const lacksToPublish = () => missingToPublish(readiness());

test("a canary is sent at once, and the node is not ready before it has come through", async () => {
  expect(lacks()).toEqual(["no canary has come through yet"]);
  await pass(200);
  expect(lacks()).toEqual([]);
  expect(canary.state.lastMs).toBe(COMMIT_MS);
});

test("each takes as long as a message from its publication to a stream, and that is counted", async () => {
  await pass(3 * EVERY_MS + 200);
  const text = await metrics.render();
  expect(text).toContain("tideline_canary_seconds_count 4");
  expect(text).toContain(`tideline_canary_last_seconds ${COMMIT_MS / 1_000}`);
  expect(text).toContain("tideline_canaries_lost_total 0");
});

test("the node is not ready when none came through for three intervals, and ready again with the next one", async () => {
  await pass(200);
  failure = new StoreError("unreachable", "no database");
  await pass(3 * EVERY_MS - 500);
  expect(lacks()).toEqual([]);
  await pass(1_000);
  expect(lacks()).toEqual([expect.stringMatching(/^no canary has come through for \d+ ms; 15000 are allowed$/)]);
  failure = undefined;
  await pass(EVERY_MS);
  expect(lacks()).toEqual([]);
  expect(lines.map((line) => JSON.parse(line).event)).toEqual([
    "canaries are not stored, or old ones not deleted",
    "canaries are stored again",
  ]);
});

test("one that is late does not keep the next one, and counts when it comes; one that never comes is lost", async () => {
  await pass(200);
  commitMs = 2 * EVERY_MS;
  await pass(EVERY_MS);
  commitMs = COMMIT_MS;
  await pass(3 * EVERY_MS);
  expect(canary.state.lastMs).toBeGreaterThanOrEqual(COMMIT_MS);
  expect(lacks()).toEqual([]);
  failure = new StoreError("unreachable", "no database");
  await pass(40 * EVERY_MS);
  expect(await metrics.render()).toMatch(/tideline_canaries_lost_total [1-9]/);
});

const STANDBY = "the database is a standby, which takes no messages";

test("on a standby none is sent: the node is ready for readers, and says that nobody can publish", async () => {
  await startOnStandby();
  const before = store.rows(0).length;
  await pass(200);
  expect([lacks(), lacksToPublish()]).toEqual([[], [STANDBY]]);
  await pass(10 * EVERY_MS);
  expect([lacks(), lacksToPublish()]).toEqual([[], [STANDBY]]);
  expect(store.rows(0)).toHaveLength(before);
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(["the database is a standby: nobody can publish here"]);
});

test("a standby that is promoted has canaries sent at the next look, and is ready all the time", async () => {
  await startOnStandby();
  await pass(3 * EVERY_MS);
  store.isStandby = false;
  for (let step = 0; step < 110; step++) {
    await pass(COMMIT_MS);
    expect(lacks()).toEqual([]);
  }
  expect(lacksToPublish()).toEqual([]);
  expect(canary.state.lastMs).toBe(COMMIT_MS);
});

test("a standby that cannot be asked any more is not ready, nor is one that was promoted and still takes no message", async () => {
  await startOnStandby();
  await pass(200);
  reader.failure = new StoreError("unreachable", "no database");
  await pass(4 * EVERY_MS);
  expect(lacks()).toEqual([expect.stringMatching(/^no canary has come through for \d+ ms/)]);
  reader.failure = undefined;
  await pass(2 * EVERY_MS);
  expect(lacks()).toEqual([]);
  store.isStandby = false;
  failure = new StoreError("unreachable", "no disk");
  await pass(5 * EVERY_MS);
  expect(lacks()).toEqual([expect.stringMatching(/^no canary has come through for \d+ ms/)]);
});

test("a database that took messages and then becomes a standby is a fault: the node is not ready, and says why", async () => {
  await pass(200);
  store.isStandby = true;
  failure = new StoreError("unreachable", "read-only");
  await pass(4 * EVERY_MS);
  expect(lacks()).toEqual([
    expect.stringMatching(/^no canary has come through for \d+ ms; 15000 are allowed: the database is a standby now$/),
  ]);
  expect(lacksToPublish()).toEqual([...lacks(), STANDBY]);
});

test("it has a topic of its own, which nobody can guess, and its old messages are deleted once a minute", async () => {
  await pass(200);
  const [message] = store.rows(0);
  expect(message?.topic).toStartWith(CANARY_PREFIX);
  expect(message?.topic.length).toBe(CANARY_PREFIX.length + 16);
  await pass(130_000);
  expect(deleted.map(({ prefix }) => prefix)).toEqual([CANARY_PREFIX, CANARY_PREFIX]);
});

test("it holds one stream, and lets go of it in the end (I12)", async () => {
  await pass(200);
  expect(feed.stats().subscribers).toBe(1);
  await pass(20 * EVERY_MS);
  expect(feed.stats().subscribers).toBe(1);
  await canary[Symbol.asyncDispose]();
  expect(feed.stats().subscribers).toBe(0);
  expect(feed.stats().watchedTopics).toBe(0);
});
