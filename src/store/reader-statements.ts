/** The statements behind the reader's questions. */

import { and, asc, desc, eq, gt, lte, type Query, type SQL, sql } from "drizzle-orm";
import { MAX_CURSOR } from "../core/limits";
import { isTopic, type Kind, kindOf, type Topic } from "../core/topic";
import { idsOf, textsOf } from "./arrays";
import { messages, type SqlSession, sequences } from "./schema";
import type { StoredMessage, TopicIds } from "./types";

/** The prepared statements of a connection that reads. */
export type ReadStatements = ReturnType<typeof prepareReads>;

/** Rows with these columns, by their bare names, of whatever stands behind FROM. */
const MESSAGE = { id: sql`id`, topic: sql`topic`, createdNs: sql`created_ns`, arm: sql`arm`, body: sql`body` };
type MessageRow = readonly [id: bigint, topic: Buffer, createdNs: bigint, arm: number, body: Uint8Array];
/** A message; `undefined` stands for one that is there, but has a body that was not to be read. */
export type LightMessage = StoredMessage | undefined;
type LightRow = readonly [id: bigint, topic: Buffer, createdNs: bigint, arm: number, body: Uint8Array | null];

// The driver tells the server the type of each parameter by its JavaScript value; the casts make it the column's.
const int8 = (name: string): SQL => sql`${sql.placeholder(name)}::int8`;
const topics: SQL = sql`${sql.placeholder("topics")}::bytea[]`;
const ofKind: SQL = eq(messages.kind, sql`${sql.placeholder("kind")}::int2`);
const ofOneTopic: SQL = eq(messages.topic, sql`${sql.placeholder("topic")}::bytea`);
const above: SQL = gt(messages.id, int8("above"));
const upTo: SQL = lte(messages.id, int8("to"));

type Order = typeof asc | typeof desc;
/** Of rows with the bytes before each: those up to the one that reaches the bound. One is always among them. */
const reaching: SQL = sql`bytes_before < ${int8("maxBytes")}`;
/** Those which together stay within the bound, or the first alone. */
const within: SQL = sql`(bytes_before = 0 OR bytes_before + octet_length(body) <= ${int8("maxBytes")})`;

/** Makes the statements of one connection. The server prepares each when it is first used. */
export function prepareReads(session: SqlSession) {
  const newestIds = session.database.select({ kind: sequences.kind, last: sequences.last }).from(sequences).toSQL();
  return {
    standby: session.database
      .select({ isStandby: sql<boolean>`pg_is_in_recovery()` })
      .from(sql`(VALUES (1)) AS one`)
      .prepare("standby"),
    sequences: () => session.run<readonly [kind: number, last: bigint]>(newestIds, {}),
    ...prepareLookups(session),
    ...preparePages(session),
    ...prepareRanges(session),
  };
}

/**
 * Of so many topics the first message is looked for before that of all others, none of which need be looked for beyond
 * the lowest id found: a look that finds nothing costs two thirds of one that does.
 */
const SAMPLED_TOPICS = sql.raw("64");
const NO_BOUND = sql.raw(`${MAX_CURSOR}`);

/**
 * One look into the index (topic, id) per topic.
 *
 * Why LATERAL with OFFSET 0 or LIMIT: it keeps the planner from making one join over the whole table of them,
 * and `topic = ANY(array)` turns into a scan of the table once the statement has a generic plan.
 */
function prepareLookups({ database }: SqlSession) {
  const newestId = sql`(SELECT m.id FROM ${messages} AS m WHERE m.topic = asked.wanted ORDER BY m.id DESC LIMIT 1)`;
  const found = sql`(SELECT m.id FROM ${messages} AS m
    WHERE m.topic = asked.wanted AND m.id > asked.floor AND m.id <= ${int8("to")} ORDER BY m.id OFFSET 0)`;
  const floors = sql`${sql.placeholder("floors")}::int8[]`;
  const firstId = sql`SELECT m.id FROM ${messages} AS m WHERE m.topic = asked.wanted AND m.id > asked.floor`;
  const sampled = sql`SELECT min((${firstId} ORDER BY m.id LIMIT 1)) AS id FROM (SELECT * FROM asked LIMIT ${SAMPLED_TOPICS}) AS asked`;
  return {
    heads: database
      .select({ packed: sql<unknown>`string_agg(int8send(coalesce(${newestId}, 0)), ''::bytea ORDER BY asked.nth)` })
      .from(sql`unnest(${topics}) WITH ORDINALITY AS asked (wanted, nth)`)
      .prepare("heads"),
    firstOf: database
      .select({ packed: sql<unknown>`int8send(min(first.id))` })
      .from(
        sql`(WITH asked AS MATERIALIZED (SELECT * FROM unnest(${topics}, ${floors}) AS asked (wanted, floor)),
            sampled AS MATERIALIZED (${sampled})
          SELECT first.id FROM sampled, asked,
            LATERAL (${firstId} AND m.id <= coalesce(sampled.id, ${NO_BOUND}) ORDER BY m.id LIMIT 1) AS first) AS first`,
      )
      .prepare("first_of"),
    idsByTopic: database
      .select({ packed: sql<unknown>`string_agg(int8send(found.id), ''::bytea)` })
      .from(sql`unnest(${topics}, ${floors}) AS asked (wanted, floor), LATERAL ${found} AS found`)
      .prepare("ids_by_topic"),
  };
}

/**
 * Many rows, in order.
 *
 * Two ways to bound a page by bytes: `above`, `byIds`, `ascending` and `descending` add up the sizes of the bodies, which
 * costs the server as much as all the rest of their work; those called `…Light` just leave out each body above
 * `lightBytes`.
 */
function preparePages({ database, run }: SqlSession) {
  const next = sql`SELECT * FROM ${messages} WHERE ${and(ofKind, above)} ORDER BY ${messages.id} LIMIT ${int8("maxRows")}`;
  const named = sql`SELECT * FROM ${messages} WHERE ${ofKind} AND ${messages.id} = ANY(${sql.placeholder("ids")}::int8[])`;
  const ofTopic = (order: Order, beyond: SQL): SQL =>
    sql`SELECT * FROM ${messages} WHERE ${and(ofOneTopic, beyond)} ORDER BY ${order(messages.id)} LIMIT ${int8("maxRows")}`;
  const upwards = ofTopic(asc, above);
  const downwards = ofTopic(desc, upTo);
  const bounded = (candidates: SQL, condition: SQL, order: Order = asc): Query =>
    database.select(MESSAGE).from(withBytesBefore(candidates, order)).where(condition).orderBy(order(sql`id`)).toSQL();
  const light = (candidates: SQL, order: Order = asc): Query =>
    database
      .select({ ...MESSAGE, body: sql`CASE WHEN octet_length(body) <= ${int8("lightBytes")} THEN body END` })
      .from(sql`(${candidates}) AS messages`)
      .orderBy(order(sql`id`))
      .toSQL();
  const pages =
    <Values extends Readonly<Record<string, unknown>>>(statement: Query) =>
    async (values: Values): Promise<readonly StoredMessage[]> =>
      (await run<MessageRow>(statement, values)).map(messageOf);
  const lightPages =
    <Values extends Readonly<Record<string, unknown>>>(statement: Query) =>
    async (values: Values): Promise<readonly LightMessage[]> =>
      (await run<LightRow>(statement, values)).map(lightMessageOf);

  return {
    above: pages<{ kind: Kind; above: bigint; maxRows: bigint; maxBytes: bigint }>(bounded(next, reaching)),
    byIds: pages<{ kind: Kind; ids: string; maxBytes: bigint }>(bounded(named, reaching)),
    aboveLight: lightPages<{ kind: Kind; above: bigint; maxRows: bigint; lightBytes: bigint }>(light(next)),
    byIdsLight: lightPages<{ kind: Kind; ids: string; lightBytes: bigint }>(light(named)),
    ascending: pages<{ topic: Uint8Array; above: bigint; maxRows: bigint; maxBytes: bigint }>(bounded(upwards, within)),
    descending: pages<{ topic: Uint8Array; to: bigint; maxRows: bigint; maxBytes: bigint }>(
      bounded(downwards, within, desc),
    ),
    ascendingLight: lightPages<{ topic: Uint8Array; above: bigint; maxRows: bigint; lightBytes: bigint }>(
      light(upwards),
    ),
    descendingLight: lightPages<{ topic: Uint8Array; to: bigint; maxRows: bigint; lightBytes: bigint }>(
      light(downwards, desc),
    ),
  };
}

/** What there is in a range of ids, without payloads. */
function prepareRanges({ database, run }: SqlSession) {
  const grouped = database
    .select({
      topic: sql`topic`.as("topic"),
      newest: sql`max(id)`.as("newest"),
      ids: sql`string_agg(int8send(id), ''::bytea)`.as("ids"),
    })
    .from(messages)
    .where(and(ofKind, above, upTo))
    .groupBy(sql`topic`)
    .as("found");
  const topicsIn: Query = database
    .select({
      topics: sql`string_agg(int4send(octet_length(found.topic)) || found.topic, ''::bytea ORDER BY found.newest)`,
      counts: sql`string_agg(int8send(octet_length(found.ids) / 8), ''::bytea ORDER BY found.newest)`,
      ids: sql`string_agg(found.ids, ''::bytea ORDER BY found.newest)`,
    })
    .from(grouped)
    .toSQL();
  const range = database
    .select({ id: sql`id`, topic: sql`topic` })
    .from(messages)
    .where(and(ofKind, above, upTo));
  const idsByRange: Query = range.orderBy(asc(messages.id)).toSQL();
  return {
    topicsIn: async (values: { kind: Kind; above: bigint; to: bigint }): Promise<readonly TopicIds[]> => {
      const [row] = await run<readonly [topics: unknown, counts: unknown, ids: unknown]>(topicsIn, values);
      const counts = idsOf(row?.[1]);
      const ids = idsOf(row?.[2]);
      let end = 0;
      return textsOf(row?.[0]).map((text, nth) => {
        const start = end;
        end += Number(counts[nth] ?? 0n);
        return { topic: checked(text), ids: ids.subarray(start, end).sort() };
      });
    },
    idsByRange: async (values: { kind: Kind; above: bigint; to: bigint }) => {
      const rows = await run<readonly [id: bigint, topic: Buffer]>(idsByRange, values);
      return rows.map(([id, topic]) => ({ id, topic: topicOf(topic) }));
    },
  };
}

/** The candidates with the bytes of the bodies before each. */
function withBytesBefore(candidates: SQL, order: Order): SQL {
  const before = sql`sum(octet_length(body)) OVER (ORDER BY ${order(sql`id`)} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)`;
  return sql`(SELECT *, coalesce(${before}, 0) AS bytes_before FROM (${candidates}) AS messages) AS messages`;
}

function messageOf([id, bytes, createdNs, arm, body]: MessageRow): StoredMessage {
  const topic = topicOf(bytes);
  return { kind: kindOf(topic), id, topic, createdNs, arm, body };
}

function lightMessageOf([id, topic, createdNs, arm, body]: LightRow): LightMessage {
  return body === null ? undefined : messageOf([id, topic, createdNs, arm, body]);
}

/** @throws RangeError for bytes that no version of this program stores as a topic. */
function topicOf(bytes: Buffer): Topic {
  return checked(bytes.toString("latin1"));
}

function checked(text: string): Topic {
  if (!isTopic(text)) throw new RangeError(`a stored topic of ${text.length} bytes is of no known kind`);
  return text;
}
