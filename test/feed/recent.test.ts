import { describe, expect, test } from "bun:test";
import type { Message } from "../../src/core/message";
import { GROUP, kindOf, type Topic, WELCOME } from "../../src/core/topic";
import { StoreError } from "../../src/store/error";
import { MemoryStore, testMessage, testTopic, testTopics } from "../support/memory-store";
import { Prng } from "../support/prng";
import { VirtualClock } from "../support/virtual-clock";
import { memoryFeed, startedOn } from "./harness";

const group = testTopic(GROUP, 1);
const quiet = testTopic(GROUP, 2);

function ids(messages: readonly Message[] | undefined): readonly bigint[] | undefined {
  return messages?.map(({ id }) => id);
}

/** What a call comes to, once as much time has passed as it may take. */
async function settled<T>(clock: VirtualClock, call: Promise<T>): Promise<T> {
  call.catch(() => {}); // handled below, after some time
  await clock.advanceAsync(100);
  return await call;
}

describe("what is new of a topic, out of memory", () => {
  test("holds what another node was acked before the call, though nobody was told of it", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = await startedOn(store, clock);
    const [mine, theirs] = [testTopic(GROUP, 1), testTopic(WELCOME, 1)];
    store.insert(mine);
    store.insert(theirs);
    store.insert(mine);
    expect(ids(await settled(clock, memory.feed.recent(mine, 0n)))).toEqual([1n, 2n]);
    expect(ids(await settled(clock, memory.feed.recent(mine, 1n)))).toEqual([2n]);
    expect(ids(await settled(clock, memory.feed.recent(theirs, 0n)))).toEqual([1n]);
  });

  test("costs no more than the question for the newest ids, and many who ask at once share two of them", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = memoryFeed({
      store,
      clock,
      options: { tickMs: 1e9 },
      readDelays: () => ({ there: 1, back: 1 }),
    });
    const { feed, reader } = memory;
    const started = feed.start();
    await clock.advanceAsync(100);
    await started;
    feed.setListening(true);
    const published = feed.publish([testMessage(group, 1)]);
    await clock.advanceAsync(100);
    await published;
    reader.takeAsked();
    const first = feed.recent(group, 0n);
    await clock.advanceAsync(0);
    const others = Array.from({ length: 100 }, (_, nth) => feed.recent(group, nth < 50 ? 0n : 1n));
    await clock.advanceAsync(100);
    expect(ids(await first)).toEqual([1n]);
    const answers = await Promise.all(others);
    expect(answers.map((answer) => answer?.length)).toEqual(others.map((_, nth) => (nth < 50 ? 1 : 0)));
    expect(reader.takeAsked()).toEqual(["headIds", "headIds"]);
  });

  test("is left to the store, at no cost, where messages have left the tail or were never in it", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    store.insert(quiet); // before this node began
    await using memory = await startedOn(store, clock, { tailRows: 2 });
    const { feed, reader } = memory;
    for (let n = 0; n < 3; n++) await settled(clock, feed.publish([testMessage(group, n)]));
    reader.takeAsked();
    expect(await settled(clock, feed.recent(quiet, 0n))).toBeUndefined();
    expect(await settled(clock, feed.recent(group, 1n))).toBeUndefined();
    expect(reader.takeAsked()).toEqual([]);
    expect(ids(await settled(clock, feed.recent(group, 2n)))).toEqual([3n, 4n]);
    expect(ids(await settled(clock, feed.recent(quiet, 2n)))).toEqual([]);
  });

  test("is known of a topic that was quiet for long, from the last message on that this node knows of", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    store.insert(quiet);
    for (let n = 0; n < 10; n++) store.insert(group);
    await using memory = await startedOn(store, clock, { tailRows: 4, warmIds: 100 });
    const { feed } = memory;
    await settled(clock, feed.publish([testMessage(quiet, 1)]));
    expect(ids(await settled(clock, feed.recent(quiet, 1n)))).toEqual([12n]);
    expect(await settled(clock, feed.recent(quiet, 0n))).toBeUndefined();
  });

  test("holds nothing that was deleted", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = await startedOn(store, clock);
    for (let n = 0; n < 3; n++) await settled(clock, memory.feed.publish([testMessage(group, n)]));
    store.deleteUpTo(GROUP, 2n);
    memory.feed.setGone(GROUP, 2n);
    expect(ids(await settled(clock, memory.feed.recent(group, 0n)))).toEqual([3n]);
  });

  test("is left to the store when the tail does not get there soon", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(clock);
    await using memory = await startedOn(store, clock);
    const { feed, reader } = memory;
    reader.onQuery = (name) => {
      reader.failure = name === "headIds" ? undefined : new StoreError("unreachable", "the database is away");
    };
    store.insert(group);
    const call = feed.recent(group, 0n);
    await clock.advanceAsync(9);
    expect(await Promise.race([call, "waits"])).toBe("waits");
    await clock.advanceAsync(1);
    expect(await call).toBeUndefined();
    reader.onQuery = undefined;
    reader.failure = undefined;
  });

  test("says what is wrong when the store cannot be asked, and is there again when it can", async () => {
    const clock = new VirtualClock();
    await using memory = await startedOn(new MemoryStore(clock), clock);
    const { feed, reader } = memory;
    reader.failure = new StoreError("unreachable", "the database is away");
    const outcomes = await settled(clock, Promise.allSettled([feed.recent(group, 0n), feed.recent(group, 0n)]));
    expect(outcomes).toMatchObject([{ reason: reader.failure }, { reason: reader.failure }]);
    reader.failure = undefined;
    expect(await settled(clock, feed.recent(group, 0n))).toEqual([]);
  });
});

const { FUZZ_SEEDS = "40" } = process.env;
const SEEDS = Number(FUZZ_SEEDS);
/** Time that one seed may take. */
const SEED_MS = 1_000;

test(
  `in ${SEEDS} histories of two nodes, what memory tells is what the store has: all that was acked before, and no gap`,
  async () => {
    let told = 0;
    for (let seed = 1; seed <= SEEDS; seed++) told += await history(seed);
    expect(told).toBeGreaterThan(SEEDS * 20);
  },
  SEED_MS * SEEDS,
);

/** Returns how many questions were answered from memory. */
async function history(seed: number): Promise<number> {
  const random = new Prng(seed);
  const clock = new VirtualClock();
  const store = new MemoryStore(clock);
  const delays = () => ({ there: random.int(4), back: random.int(4) });
  const topics = testTopics(4);
  for (let n = 0; n < 20; n++) store.insert(random.pick(topics));
  const options = {
    tailRows: random.between(2, 30),
    headTopics: random.between(2, 20),
    warmIds: random.int(20),
    tickMs: 50,
  };
  await using one = memoryFeed({ store, clock, options, readDelays: delays, appendDelays: delays });
  await using two = memoryFeed({ store, clock, options, readDelays: delays, appendDelays: delays });
  const started = [one.feed.start(), two.feed.start()];
  await clock.advanceAsync(100);
  await Promise.all(started);
  const work: Promise<void>[] = [];
  let told = 0;
  const ask = async (topic: Topic) => {
    const { feed } = random.pick([one, two]);
    const before = store.ofTopic(topic);
    const cursor = BigInt(random.int(Number(store.headIds()[kindOf(topic)]) + 2));
    const acked = before.filter(({ id }) => id > cursor).length;
    const answer = ids(await feed.recent(topic, cursor));
    if (answer === undefined) return;
    told++;
    const all = store.ofTopic(topic).flatMap(({ id }) => (id > cursor ? [id] : []));
    const seen = `seed ${seed}: ${topic} above ${cursor}`;
    expect([seen, answer]).toEqual([seen, all.slice(0, answer.length)]);
    expect([seen, answer.length >= acked]).toEqual([seen, true]);
  };
  for (let step = 0; step < 150; step++) {
    const topic = random.pick(topics);
    if (random.chance(0.4)) work.push(ask(topic));
    else if (random.chance(0.3)) store.insert(topic);
    else work.push(random.pick([one, two]).feed.publish([testMessage(topic, step)]));
    if (random.chance(0.5)) await clock.advanceAsync(random.int(8));
  }
  await clock.advanceAsync(1_000);
  await Promise.all(work);
  return told;
}
