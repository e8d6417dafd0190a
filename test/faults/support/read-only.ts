/** Fault 10: a database that takes no writes for a while. */

import { expect } from "bun:test";
import type { Sql } from "postgres";
import { askToStore } from "./ask-to-store";
import { Drill } from "./drill";
import { FaultNode } from "./node";
import { FaultPostgres } from "./postgres";
import { scaled } from "./settings";

const KEEPALIVE_MS = 1_000;

export interface ReadOnlyDrill {
  readonly title: string;
  readonly begin: (admin: Sql) => Promise<void>;
  readonly end: (admin: Sql) => Promise<void>;
}

/** Publishers are told, streams and reads live on, and all goes on as soon as writes are taken again. */
export async function drillReadOnly({ title, begin, end }: ReadOnlyDrill): Promise<void> {
  await using postgres = await FaultPostgres.start();
  await using node = await FaultNode.start({
    databaseUrl: postgres.url,
    env: { TIDELINE_KEEPALIVE_MS: `${KEEPALIVE_MS}` },
  });
  await using drill = new Drill({ fault: 10, title });
  const topics = drill.topics({ groups: 4, welcomes: 1 });
  const stream = drill.subscribe(node, { topics });
  const publisher = drill.publish(node, { topics, perSecond: scaled(200) });
  await drill.allConnected(1);
  await drill.moreAcks(20);
  const admin = postgres.connect();
  try {
    await begin(admin);
    const refused = drill.until(() => publisher.failures.size > 0, "a publisher to be refused");
    const [words] = await Promise.all([askToStore(node), refused]);
    const pings = await node.metric("tideline_pings_total");
    const areMore = async () => (await node.metric("tideline_pings_total")) >= pings + 2;
    await drill.until(areMore, "Pings to go on");
    const late = drill.subscribe(node, { topics, name: "a stream that comes meanwhile" });
    await drill.until(() => late.reading.received >= stream.reading.received, "it to catch up");
    const { status } = await node.readiness();

    await end(admin);
    await drill.moreAcks(20);
    expect(words).toMatch(/^unavailable: .*25006.*read-only transaction/);
    expect([...publisher.failures.keys()]).toEqual(["unavailable"]);
    expect(status).toBe(200);
    expect([stream.connects, late.connects]).toEqual([1, 1]);
  } finally {
    await admin.end();
  }
  await drill.finish({ readAt: node, figures: { refusedMs: Math.round(publisher.slowestFailureMs) } });
}
