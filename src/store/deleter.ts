/** Deletes what is too old to be kept: a little at a time, one process at a time. */

import { type SQL, sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { Clock } from "../base/clock";
import { type Kind, type Topic, topicBytes } from "../core/topic";
import { type RetryHost, retrying } from "./retry";
import { messages, type SqlSession } from "./schema";
import type { SqlPool } from "./sql-pool";
import type { Deleted, Deleter, TooOld } from "./types";

/** The statements of a connection that deletes. */
export type DeleteStatements = ReturnType<typeof prepareDeletes>;

/**
 * Most messages, and bytes of their bodies, that one commit deletes (one message more if it is large): few, because a
 * publisher who sends one of them again waits for that commit, and all of its kind wait with it.
 */
const BATCH_ROWS = 1_000;
const BATCH_BYTES = 8 << 20;

/** The key of the advisory lock that is held while something is deleted: "tideold\0" in ASCII. */
export const DELETE_LOCK_KEY = "8388346167778108416";

export interface DeleterHost {
  readonly pool: SqlPool<DeleteStatements>;
  readonly retry: RetryHost;
  readonly clock: Pick<Clock, "wallNs">;
}

interface BeginningParameters {
  readonly first: Uint8Array;
  /** What comes right after the last topic that begins so. */
  readonly end: Uint8Array;
  readonly createdBeforeNs: bigint;
  readonly ageNs: bigint;
}

interface Parameters {
  readonly kind: Kind;
  readonly above: bigint;
  /** By the caller's clock; the statement asks the database's, too. */
  readonly createdBeforeNs: bigint;
  readonly ageNs: bigint;
}

type Row = readonly [mine: boolean, found: number, deleted: number, bytes: bigint, kept: bigint | null, last: bigint];

/**
 * From the front only, up to the first message that is young enough: so one that is stamped too early, by a clock that
 * went back, stays as long as those before it.
 *
 * Why it is one statement: the lock ends with it, whatever becomes of its connection, so it needs no session and works
 * behind a transaction pooler. Whoever does not get the lock still learns what is gone.
 */
export function prepareDeletes({ run }: SqlSession) {
  const { placeholder } = sql;
  const int8 = (name: string): SQL => sql`${placeholder(name)}::int8`;
  const kind = sql`${placeholder("kind")}::int2`;
  const before = sql`least(${int8("createdBeforeNs")}, (extract(epoch FROM clock_timestamp()) * 1000000000)::int8 - ${int8("ageNs")})`;
  const statement = new PgDialect().sqlToQuery(sql`
    WITH turn AS MATERIALIZED (
      SELECT pg_try_advisory_xact_lock(${sql.raw(DELETE_LOCK_KEY)}) AS mine,
        ${before} AS before
    ), oldest AS MATERIALIZED (
      SELECT id, max(created_ns) OVER (ORDER BY id) AS newest_ns, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS bytes_before
      FROM (
        SELECT * FROM ${messages} WHERE kind = ${kind} AND id > ${int8("above")} ORDER BY id LIMIT ${sql.raw(`${BATCH_ROWS}`)}
      ) AS messages
    ), batch AS MATERIALIZED (
      SELECT id, mine AND newest_ns < before AS too_old FROM oldest, turn WHERE bytes_before < ${sql.raw(`${BATCH_BYTES}`)}
    ), gone AS (
      DELETE FROM ${messages} WHERE kind = ${kind} AND id = ANY(ARRAY(SELECT id FROM batch WHERE too_old))
      RETURNING octet_length(body) AS bytes
    )
    SELECT (SELECT mine FROM turn), count(*)::int4, (SELECT count(*)::int4 FROM gone),
      (SELECT coalesce(sum(bytes), 0)::int8 FROM gone),
      min(id) FILTER (WHERE NOT too_old), coalesce(max(id), ${int8("above")})
    FROM batch`);
  const beginning = new PgDialect().sqlToQuery(sql`
    WITH gone AS (
      DELETE FROM ${messages}
      WHERE topic >= ${placeholder("first")}::bytea AND topic < ${placeholder("end")}::bytea AND created_ns < ${before}
      RETURNING 1
    )
    SELECT count(*)::int4 FROM gone`);
  return {
    deleteOld: (parameters: Parameters) => run<Row>(statement, { ...parameters }),
    deleteBeginning: (parameters: BeginningParameters) => run<readonly [rows: number]>(beginning, { ...parameters }),
  };
}

/** {@link Deleter} on Postgres. */
export class SqlDeleter implements Deleter {
  readonly #host: DeleterHost;

  constructor(host: DeleterHost) {
    this.#host = host;
  }

  async deleteOld({ kind, above, ageNs }: TooOld): Promise<Deleted> {
    const { pool, retry, clock } = this.#host;
    const parameters = { kind, above, ageNs, createdBeforeNs: clock.wallNs() - ageNs };
    const [row] = await retrying(retry, "old messages could not be deleted", () =>
      pool.run(({ deleteOld }) => deleteOld(parameters)),
    );
    if (row === undefined) throw new Error("a statement that answers one row answered none");
    const [mine, found, rows, bytes, kept, last] = row;
    const goneUpTo = kept === null ? last : kept - 1n;
    return { mine, rows, bytes: Number(bytes), goneUpTo, more: kept === null && found > 0 };
  }

  async deleteBeginning(prefix: Topic, ageNs: bigint): Promise<number> {
    const { pool, retry, clock } = this.#host;
    const first = topicBytes(prefix);
    const end = Uint8Array.from(first);
    const last = end.at(-1) ?? 0xff;
    if (last === 0xff) throw new RangeError("a prefix of topics must not end with byte 255");
    end[end.length - 1] = last + 1;
    const parameters = { first, end, ageNs, createdBeforeNs: clock.wallNs() - ageNs };
    const [row] = await retrying(retry, "old messages could not be deleted", () =>
      pool.run(({ deleteBeginning }) => deleteBeginning(parameters)),
    );
    return row?.[0] ?? 0;
  }
}
