/** The statements behind identities, key packages and commit logs. */

import { and, asc, desc, eq, gt, lte, type Query, type SQL, sql } from "drizzle-orm";
import type { Inbox, StoredCommitLogEntry } from "./identity-types";
import { commitLog, identifiers, identityUpdates, inboxes, keyPackages, type SqlSession } from "./schema";

/** The prepared statements of a connection that reads identities, key packages and commit logs. */
export type IdentityReads = ReturnType<typeof prepareIdentityReads>;
/** The same for one that writes them. */
export type IdentityWrites = ReturnType<typeof prepareIdentityWrites>;

/** What was found for the element of a question with this number, from 1. */
type Nth = readonly [nth: bigint];

// The driver tells the server the type of each parameter by its JavaScript value; the casts make it the column's.
const int8 = (name: string): SQL => sql`${sql.placeholder(name)}::int8`;
const bytea = (name: string): SQL => sql`${sql.placeholder(name)}::bytea`;
const array = (name: string, type: "int2" | "int8" | "text" | "bytea"): SQL =>
  sql`${sql.placeholder(name)}::${sql.raw(type)}[]`;

/**
 * Makes the reading statements of a connection. Lists are answered by one look into an index per element: LATERAL
 * with OFFSET 0 or LIMIT keeps the planner from one join over the whole table.
 */
export function prepareIdentityReads(session: SqlSession) {
  const { database, run } = session;
  const inbox = database
    .select({ version: inboxes.version, state: inboxes.state })
    .from(inboxes)
    .where(eq(inboxes.inboxId, sql`${sql.placeholder("inboxId")}::text`))
    .toSQL();
  const above = sql`(SELECT u.* FROM ${identityUpdates} AS u
    WHERE u.inbox_id = asked.inbox_id AND u.id > asked.above ORDER BY u.id OFFSET 0)`;
  const askedUpdates = sql`unnest(${array("inboxIds", "text")}, ${array("above", "int8")})`;
  // The size of a body is known without its being read.
  const bytesBefore = sql`sum(octet_length(found.body))
    OVER (ORDER BY nth, found.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)`;
  const all = sql`(SELECT nth, found.id, found.created_ns, found.body, coalesce(${bytesBefore}, 0) AS bytes_before
    FROM ${askedUpdates} WITH ORDINALITY AS asked (inbox_id, above, nth), LATERAL ${above} AS found)`;
  const updates: Query = database
    .select({ nth: sql`nth`, id: sql`id`, createdNs: sql`created_ns`, body: sql`body` })
    .from(sql`${all} AS found`)
    .where(sql`bytes_before <= ${int8("maxBytes")}`)
    .orderBy(sql`nth`, sql`id`)
    .toSQL();
  const newest = sql`(SELECT i.inbox_id FROM ${identifiers} AS i
    WHERE i.kind = asked.kind AND i.identifier = asked.identifier ORDER BY i.id DESC LIMIT 1)`;
  const askedIdentifiers = sql`unnest(${array("kinds", "int2")}, ${array("identifiers", "text")})`;
  const inboxIds: Query = database
    .select({ nth: sql`nth`, inboxId: sql`inbox_id` })
    .from(sql`${askedIdentifiers} WITH ORDINALITY AS asked (kind, identifier, nth), LATERAL ${newest} AS found`)
    .toSQL();
  const ofKey = sql`(SELECT k.body FROM ${keyPackages} AS k WHERE k.installation_key = asked.wanted LIMIT 1)`;
  const packages: Query = database
    .select({ nth: sql`nth`, body: sql`body` })
    .from(sql`unnest(${array("keys", "bytea")}) WITH ORDINALITY AS asked (wanted, nth), LATERAL ${ofKey} AS found`)
    .toSQL();
  return {
    inbox: async (values: { readonly inboxId: string }): Promise<Inbox | undefined> => {
      type Row = readonly [version: bigint, state: Uint8Array];
      const [row] = await run<Row>(inbox, values);
      return row === undefined ? undefined : { version: row[0], state: row[1] };
    },
    updates: async (values: { readonly inboxIds: string; readonly above: string; readonly maxBytes: bigint }) => {
      type Row = readonly [...Nth, id: bigint, createdNs: bigint, body: Uint8Array];
      const rows = await run<Row>(updates, values);
      return rows.map(([nth, id, createdNs, body]) => ({ nth, update: { id, createdNs, body } }));
    },
    inboxIds: (values: { readonly kinds: string; readonly identifiers: string }) =>
      run<readonly [...Nth, inboxId: string]>(inboxIds, values),
    keyPackages: (values: { readonly keys: string }) => run<readonly [...Nth, body: Uint8Array]>(packages, values),
    ...prepareCommitLogPages(session),
  };
}

function prepareCommitLogPages({ database, run }: SqlSession) {
  const page = (direction: typeof asc | typeof desc, beyond: SQL): Query =>
    database
      .select({ id: commitLog.id, body: commitLog.body })
      .from(commitLog)
      .where(and(eq(commitLog.groupId, bytea("groupId")), beyond))
      .orderBy(direction(commitLog.id))
      .limit(sql.placeholder("limit"))
      .toSQL();
  const ascending = page(asc, gt(commitLog.id, int8("above")));
  const descending = page(desc, lte(commitLog.id, int8("to")));
  const read = async (statement: Query, values: Readonly<Record<string, unknown>>) => {
    const rows = await run<readonly [id: bigint, body: Uint8Array]>(statement, values);
    return rows.map(([id, body]): StoredCommitLogEntry => ({ id, body }));
  };
  return {
    commitLogUp: (values: { readonly groupId: Uint8Array; readonly above: bigint; readonly limit: number }) =>
      read(ascending, values),
    commitLogDown: (values: { readonly groupId: Uint8Array; readonly to: bigint; readonly limit: number }) =>
      read(descending, values),
  };
}

/** An identity update as `append_identity_update` takes it. Arrays are in Postgres' text form. */
export interface UpdateParameters {
  readonly inboxId: string;
  readonly judgedBy: bigint;
  readonly stampNs: bigint;
  readonly body: Uint8Array;
  readonly state: Uint8Array;
  readonly addedKinds: string;
  readonly added: string;
  readonly removedKinds: string;
  readonly removed: string;
}

/** Makes the writing statements of a connection: calls of what migrations/0003_identities.sql defines. */
export function prepareIdentityWrites({ database, run }: SqlSession) {
  const appendUpdate = sql`append_identity_update(
    ${sql.placeholder("inboxId")}::text, ${int8("judgedBy")}, ${int8("stampNs")}, ${bytea("body")}, ${bytea("state")},
    ${array("addedKinds", "int2")}, ${array("added", "text")},
    ${array("removedKinds", "int2")}, ${array("removed", "text")})`;
  const update = database.select({ id: sql`id` }).from(sql`${appendUpdate} AS id`).toSQL();
  const put = database
    .insert(keyPackages)
    .values({ installationKey: bytea("key"), createdNs: int8("stampNs"), body: bytea("body") })
    .onConflictDoUpdate({
      target: keyPackages.installationKey,
      set: { createdNs: sql`excluded.created_ns`, body: sql`excluded.body` },
    })
    .toSQL();
  const appendEntries = sql`append_commit_log(${int8("stampNs")}, ${array("groups", "bytea")}, ${array("bodies", "bytea")})`;
  const entries = database.select({ done: sql`true` }).from(appendEntries).toSQL();
  return {
    /** The id; `undefined` if the inbox has changed. */
    update: async (values: UpdateParameters): Promise<bigint | undefined> => {
      const [row] = await run<readonly [id: bigint | null]>(update, { ...values });
      return row?.[0] ?? undefined;
    },
    putKeyPackage: (values: { readonly key: Uint8Array; readonly stampNs: bigint; readonly body: Uint8Array }) =>
      run(put, values),
    appendCommitLog: (values: { readonly stampNs: bigint; readonly groups: string; readonly bodies: string }) =>
      run(entries, values),
  };
}
