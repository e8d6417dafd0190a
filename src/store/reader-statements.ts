/** The statements behind the reader's questions. */

import { and, asc, desc, eq, gt, lte, type SQL, sql } from "drizzle-orm";
import type { BunSQLDatabase } from "drizzle-orm/bun-sql";
import { messages, sequences } from "./schema";

/** The prepared statements of a connection that reads. Parameters: ids and limits as bigint, the others as they are named. */
export type ReadStatements = ReturnType<typeof prepareReads>;

/** Drizzle takes columns from tables only; these come by their bare names from whatever stands behind FROM. */
const columns = {
  kind: sql`kind`.mapWith(messages.kind),
  id: sql`id`.mapWith(messages.id),
  topic: sql`topic`.mapWith(messages.topic),
  createdNs: sql`created_ns`.mapWith(messages.createdNs),
  arm: sql`arm`.mapWith(messages.arm),
  body: sql`body`.mapWith(messages.body),
};

// The driver tells the server the type of each parameter by its JavaScript value; the casts make it the column's.
const int8 = (name: string): SQL => sql`${sql.placeholder(name)}::int8`;
const topics: SQL = sql`${sql.placeholder("topics")}::bytea[]`;
const ofKind: SQL = eq(messages.kind, sql`${sql.placeholder("kind")}::int2`);
const ofOneTopic: SQL = eq(messages.topic, sql`${sql.placeholder("topic")}::bytea`);
const above: SQL = gt(messages.id, int8("above"));
const upTo: SQL = lte(messages.id, int8("to"));

/** Makes the statements of one connection. The server prepares each when it is first used. */
export function prepareReads(database: BunSQLDatabase) {
  return {
    sequences: database.select().from(sequences).prepare("sequences"),
    idsByRange: database
      .select({ id: messages.id, topic: messages.topic })
      .from(messages)
      .where(and(ofKind, above, upTo))
      .orderBy(asc(messages.id))
      .prepare("ids_by_range"),
    ...prepareLookups(database),
    ...preparePages(database),
  };
}

/**
 * One look into the index (topic, id) per topic.
 *
 * Why LATERAL with OFFSET 0 or LIMIT: it keeps the planner from making one join over the whole table of them,
 * and `topic = ANY(array)` turns into a scan of the table once the statement has a generic plan.
 */
function prepareLookups(database: BunSQLDatabase) {
  const newestId = sql`(SELECT m.id FROM ${messages} AS m WHERE m.topic = asked.wanted ORDER BY m.id DESC LIMIT 1)`;
  const newest = sql`(SELECT * FROM ${messages} AS m WHERE m.topic = asked.wanted ORDER BY m.id DESC LIMIT 1)`;
  const found = sql`(SELECT m.id FROM ${messages} AS m
    WHERE m.topic = asked.wanted AND m.id > asked.floor AND m.id <= ${int8("to")} ORDER BY m.id OFFSET 0)`;
  const floors = sql`${sql.placeholder("floors")}::int8[]`;
  return {
    heads: database
      .select({ packed: sql<unknown>`string_agg(int8send(coalesce(${newestId}, 0)), ''::bytea ORDER BY asked.nth)` })
      .from(sql`unnest(${topics}) WITH ORDINALITY AS asked (wanted, nth)`)
      .prepare("heads"),
    idsByTopic: database
      .select({ packed: sql<unknown>`string_agg(int8send(found.id), ''::bytea)` })
      .from(sql`unnest(${topics}, ${floors}) AS asked (wanted, floor), LATERAL ${found} AS found`)
      .prepare("ids_by_topic"),
    newest: database
      .select({ nth: sql`asked.nth`.mapWith(Number), ...columns })
      .from(sql`unnest(${topics}) WITH ORDINALITY AS asked (wanted, nth), LATERAL ${newest} AS messages`)
      .prepare("newest"),
  };
}

/** Whole messages, in order. */
function preparePages(database: BunSQLDatabase) {
  const next = sql`SELECT * FROM ${messages} WHERE ${and(ofKind, above)} ORDER BY ${messages.id} LIMIT ${int8("maxRows")}`;
  const named = sql`SELECT * FROM ${messages} WHERE ${ofKind} AND ${messages.id} = ANY(${sql.placeholder("ids")}::int8[])`;
  const ofTopic = (name: string, direction: typeof asc | typeof desc, beyond: SQL) =>
    database
      .select(columns)
      .from(messages)
      .where(and(ofOneTopic, beyond))
      .orderBy(direction(messages.id))
      .limit(sql.placeholder("limit"))
      .prepare(name);
  return {
    above: prepareBounded(database, "above", next),
    byIds: prepareBounded(database, "by_ids", named),
    ascending: ofTopic("topic_ascending", asc, above),
    descending: ofTopic("topic_descending", desc, upTo),
  };
}

/** The candidates from the front, up to and including the one whose body reaches `maxBytes` in total. */
function prepareBounded(database: BunSQLDatabase, name: string, candidates: SQL) {
  const bytesBefore = sql`sum(octet_length(${messages.body}))
    OVER (ORDER BY ${messages.id} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)`;
  const measured = sql`(SELECT *, coalesce(${bytesBefore}, 0) AS bytes_before FROM (${candidates}) AS messages)`;
  return database
    .select(columns)
    .from(sql`${measured} AS messages`)
    .where(sql`bytes_before < ${int8("maxBytes")}`)
    .orderBy(asc(messages.id))
    .prepare(name);
}
