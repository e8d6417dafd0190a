import { expect, test } from "bun:test";
import type { SQL } from "bun";
import { createDatabase } from "../support/database";
import { connectSql } from "../support/sql-connection";
import { until } from "../support/until";
import { message, openTestStore, upTo } from "./store-fixtures";

test("looking for duplicates asks the unique index once per message, however many messages a topic has", async () => {
  await using database = await createDatabase();
  await using admin = connectSql(database.target);
  {
    await using store = await openTestStore(database.target);
    const appender = store.appender({ onCommitted: () => {} });
    // Many short topics: to the planner, a topic looks like one row.
    await appender.append(upTo(400).map((n) => message(`short ${n}`, `${n}`)));
    await admin`VACUUM ANALYZE messages`;
  }
  {
    // A session with plans of its own, made now.
    await using store = await openTestStore(database.target);
    const appender = store.appender({ onCommitted: () => {} });
    for (const n of upTo(100)) await appender.append([message("long", `${n}`)]);
    await appender.append(upTo(100).map((n) => message("long", `${n}`)));
  }
  const { byTopic, byDigest } = await indexScans(admin);
  expect(byTopic).toBe(0);
  // Postgres counts a scan when it finds something: the hundred duplicates.
  expect(byDigest).toBe(100);
});

/** Scans of the two indexes that know topics, once the sessions that made them have reported: they do when they end. */
async function indexScans(admin: SQL): Promise<{ readonly byTopic: number; readonly byDigest: number }> {
  await until(async () => {
    const [sessions] = await admin`SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'tideline%'`;
    return sessions.count === 0;
  }, "the store's sessions to end");
  const [row] = await admin`
    SELECT sum(idx_scan) FILTER (WHERE indexrelname = 'messages_topic_id')::int AS "byTopic",
           sum(idx_scan) FILTER (WHERE indexrelname = 'messages_topic_digest')::int AS "byDigest"
    FROM pg_stat_user_indexes WHERE relname = 'messages'`;
  return row;
}
