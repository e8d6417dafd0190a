import { expect, test } from "bun:test";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import { scaled } from "./support/settings";

const TERMINATIONS = scaled(300);

test("a LISTEN backend that is terminated hundreds of times: nothing is lost, and nothing waits long (I1, I2)", async () => {
  await using postgres = await FaultPostgres.start();
  // Two nodes: what one stores, the other hears of by notifications only.
  await using writer = await FaultNode.start({ databaseUrl: postgres.url });
  await using reader = await FaultNode.start({ databaseUrl: postgres.url });
  await using drill = new Drill({ fault: 3, title: "LISTEN backend terminated" });
  const topics = drill.topics({ groups: 6, welcomes: 2 });
  const stream = drill.subscribe(reader, { topics });
  drill.subscribe(writer, { topics });
  for (let n = 0; n < 2; n++) drill.publish(writer, { topics, perSecond: scaled(200) });
  await drill.allConnected(1);
  await drill.moreAcks(20);

  const sql = postgres.connect();
  const fromMs = performance.now();
  let terminated = 0;
  await drill.until(
    async () => {
      const rows = await sql`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'tideline listener' AND query LIKE '%NOTIFY%'`;
      terminated += rows.length;
      return terminated >= TERMINATIONS;
    },
    `${TERMINATIONS} terminations`,
    120_000,
  );
  const toMs = performance.now();
  await sql.end();

  await drill.moreAcks(20);
  for (const node of [writer, reader]) {
    await drill.until(async () => (await node.readiness()).status === 200, "the node to be ready again");
  }
  const deaf =
    (await writer.metric("tideline_listener_deaf_total")) + (await reader.metric("tideline_listener_deaf_total"));
  expect(deaf).toBeGreaterThan(TERMINATIONS / 2); // each was heard from before it was terminated, or nearly
  const latencies = stream.reading.arrivals.within({ fromMs, toMs });
  const silenceMs = stream.reading.arrivals.longestSilence({ fromMs, toMs });
  expect(silenceMs).toBeLessThan(2_000);
  expect(drill.subscribers.map(({ connects }) => connects)).toEqual([1, 1]);
  const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? 0;
  await drill.finish({
    readAt: reader,
    figures: { terminated, deaf, p99Ms: Math.round(p99), silenceMs: Math.round(silenceMs) },
  });
}, 240_000);
