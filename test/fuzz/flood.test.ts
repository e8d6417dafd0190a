import { expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import { type Topic, topicOf } from "../../src/core/topic";
import { Prng } from "../support/prng";
import { Driver } from "./driver";
import type { Scenario } from "./scenario";
import { loadSession } from "./session-like";

/** Rounds in which a wave must get through: some scans more than it would need in peace. */
const MOST_ROUNDS = 10;
/** What a lane may hold. */
const DUE_OFFSETS = 3;

const make = await loadSession(`${import.meta.dir}/../../src/core`);
const LIVE_TOPIC = topicOf(0, Uint8Array.of(1));
const GATED_TOPIC = topicOf(0, Uint8Array.of(2));

const SCENARIO: Scenario = {
  topics: [LIVE_TOPIC, GATED_TOPIC],
  limits: { ...DEFAULT_LIMITS, dueOffsets: DUE_OFFSETS },
  keepaliveMs: 1_000,
  stallMs: 5_000,
  tailCapacity: 1_000,
  prefill: 20,
  maxPageRows: 1_000,
  maxEntryBytes: 10,
  answersPings: true,
  careful: true,
};

/** Messages come to the gated topic, more than its wave may hold, and then to the live one, which passes them. */
function flood(driver: Driver): void {
  const topics: readonly Topic[] = [...Array.from({ length: DUE_OFFSETS + 1 }, () => GATED_TOPIC), LIVE_TOPIC];
  for (const topic of topics) driver.world.insert(topic, 10);
  driver.append(driver.world.unseen);
  driver.drain();
}

function answerReplays(driver: Driver, random: Prng): void {
  const { replays } = driver.world;
  for (const replay of replays.reading) driver.send(replays.page(replay, SCENARIO.maxPageRows, random));
}

test("a wave completes though more keeps coming than it may hold, below what is delivered live (R-33, R-20)", () => {
  const random = new Prng(1);
  const driver = new Driver(make, SCENARIO, random, undefined);
  const { waves } = driver.checker.model;
  driver.append(driver.world.unseen);
  driver.mutate({ id: 1n, adds: [{ topic: LIVE_TOPIC, cursor: 0n }], removes: [], historyOnly: false });
  while (waves.size > 0) {
    answerReplays(driver, random);
    driver.drain();
  }
  driver.mutate({ id: 2n, adds: [{ topic: GATED_TOPIC, cursor: 0n }], removes: [], historyOnly: false });
  let rounds = 0;
  for (; waves.size > 0 && rounds <= MOST_ROUNDS; rounds++) {
    flood(driver);
    answerReplays(driver, random);
    driver.drain();
  }
  expect(rounds).toBeGreaterThan(1);
  expect(rounds).toBeLessThanOrEqual(MOST_ROUNDS);
});
