/** What a node costs besides processor time: memory, and rows read. Of nodes that were started here only. */

import { readFileSync } from "node:fs";
import type { DatabaseTarget } from "../../../src/store/target";
import { openSql } from "../support/database";

const SETTLE_SAMPLES = 8;

/** Memory of a process that is in RAM, in bytes. */
export function rssBytes(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1_024;
}

/**
 * The memory of a process once it has come to rest: the least seen until that has not fallen by a hundredth for
 * `settleMs`. A runtime gives memory back late, so the same process may show far more a moment earlier.
 */
export async function settledRssBytes(pid: number, settleMs: number): Promise<number> {
  let least = rssBytes(pid);
  let settled = least;
  for (let quiet = 0; quiet < SETTLE_SAMPLES; quiet++) {
    await Bun.sleep(settleMs / SETTLE_SAMPLES);
    least = Math.min(least, rssBytes(pid));
    if (least > settled * 0.99) continue;
    settled = least;
    quiet = 0;
  }
  return least;
}

/** What has been read of the table of messages so far. */
export interface RowsRead {
  /** Entries of the index by topic: looking for what is new in a topic. */
  readonly byTopic: number;
  /** Entries of the index by id, or rows of the table: messages themselves, those on their way into the tail among them. */
  readonly byId: number;
}

/**
 * What a node has read so far, for whatever reason.
 *
 * A session reports its counts late, but always when it ends. So the node's reading sessions are ended first; it
 * opens new ones when it needs them. Not to be called while something is being timed. What publishing reads, to find
 * duplicates, counts as well but comes late: publish to topics that have nothing yet.
 */
export async function rowsRead(database: DatabaseTarget): Promise<RowsRead> {
  await using sql = openSql(database);
  await sql`
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE application_name = 'tideline read'`;
  const [row] = await sql`
    SELECT
      sum(i.idx_tup_read) FILTER (WHERE i.indexrelname = 'messages_topic_id')::float8 AS by_topic,
      (coalesce(t.seq_tup_read, 0) + sum(i.idx_tup_read) FILTER (WHERE i.indexrelname <> 'messages_topic_id'))::float8 AS by_id
    FROM pg_stat_user_tables AS t JOIN pg_stat_user_indexes AS i USING (relid)
    WHERE t.relname = 'messages' GROUP BY t.seq_tup_read`;
  return { byTopic: Number(row?.by_topic), byId: Number(row?.by_id) };
}

/** What was read between two counts. */
export function rowsBetween(before: RowsRead, after: RowsRead): RowsRead {
  return { byTopic: after.byTopic - before.byTopic, byId: after.byId - before.byId };
}
