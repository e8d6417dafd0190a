import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { targetUrl } from "../../src/store/target";
import { startRelay } from "../support/database-relay";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import { scaled } from "./support/settings";

/** How the node's listening session calls itself in Postgres. */
const LISTENER = "tideline listener";
const NOTICED_MS = 5_000;
/** How long the node stays deaf after it has noticed. */
const DEAF_MS = 8_000;

test("a listener whose socket is open and silent: noticed within 5 s, delivery goes on by ticks (I1, I2)", async () => {
  await using postgres = await FaultPostgres.start();
  await using relay = await startRelay(postgres.target);
  await using writer = await FaultNode.start({ databaseUrl: postgres.url });
  await using reader = await FaultNode.start({ databaseUrl: targetUrl(relay.target) });
  await using drill = new Drill({ fault: 4, title: "deaf listener" });
  const topics = drill.topics({ groups: 6, welcomes: 2 });
  const { reading } = drill.subscribe(reader, { topics });
  drill.subscribe(writer, { topics });
  for (let n = 0; n < 2; n++) drill.publish(writer, { topics, perSecond: scaled(200) });
  await drill.allConnected(1);
  await drill.moreAcks(20);
  expect(await reader.readiness()).toEqual({ status: 200, notifications: "listening" });

  const deafAt = performance.now();
  relay.deafen(LISTENER);
  await drill.until(async () => (await reader.readiness()).notifications === "deaf", "the node to notice", NOTICED_MS);
  const noticedAt = performance.now();
  expect((await reader.readiness()).status).toBe(503);
  expect(await reader.metric("tideline_listening")).toBe(0);
  expect(await reader.metric("tideline_listener_deaf_total")).toBe(1);
  await systemClock.sleep(DEAF_MS);
  expect((await reader.readiness()).notifications).toBe("deaf");
  const hearsAt = performance.now();
  relay.deafen(undefined);
  await drill.until(async () => (await reader.readiness()).status === 200, "the node to listen again");
  const heardMs = performance.now() - hearsAt;

  const { arrivals } = reading;
  const unnoticedMs = arrivals.longestSilence({ fromMs: deafAt, toMs: noticedAt });
  const noticedMs = arrivals.longestSilence({ fromMs: noticedAt, toMs: hearsAt });
  const polled = arrivals.within({ fromMs: noticedAt, toMs: hearsAt });
  expect(unnoticedMs).toBeLessThan(2_000); // by the tick of a second
  expect(noticedMs).toBeLessThan(1_000); // by polling
  expect(drill.subscribers.map(({ connects }) => connects)).toEqual([1, 1]);
  await drill.finish({
    readAt: reader,
    figures: {
      noticedAfterMs: Math.round(noticedAt - deafAt),
      silenceUnnoticedMs: Math.round(unnoticedMs),
      silencePollingMs: Math.round(noticedMs),
      p50PollingMs: Math.round(polled[Math.floor(polled.length / 2)] ?? 0),
      heardAgainAfterMs: Math.round(heardMs),
    },
  });
}, 120_000);
