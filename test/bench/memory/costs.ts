/** What a node costs besides processor time: memory, and rows read. Of nodes that were started here only. */

import { readFileSync } from "node:fs";
import type { DatabaseTarget } from "../../../src/store/target";
import { openSql } from "../support/database";

/** Memory of a process that is in RAM, in bytes. */
export function rssBytes(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1_024;
}

/**
 * The memory of a process once it has come to rest: the least of one second, after another one.
 * A runtime gives memory back late, so the same process may show more a moment earlier.
 */
export async function settledRssBytes(pid: number): Promise<number> {
  await Bun.sleep(1_000);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    least = Math.min(least, rssBytes(pid));
    await Bun.sleep(100);
  }
  return least;
}

/**
 * Rows of messages that a node's database has read so far, for whatever reason: entries of indexes or rows of the table.
 *
 * A session reports its counts late, but always when it ends. So the node's reading sessions are ended first; it
 * opens new ones when it needs them. Not to be called while something is being timed.
 */
export async function rowsRead(database: DatabaseTarget): Promise<number> {
  await using sql = openSql(database);
  await sql`
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE application_name IN ('tideline read', 'tideline append')`;
  const [row] = await sql`
    SELECT (coalesce(t.seq_tup_read, 0) + coalesce(sum(i.idx_tup_read), 0))::float8 AS rows
    FROM pg_stat_user_tables AS t JOIN pg_stat_user_indexes AS i USING (relid)
    WHERE t.relname = 'messages' GROUP BY t.seq_tup_read`;
  return Number(row?.rows);
}
