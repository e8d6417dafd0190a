/** Brings the database to the schema that this program knows. */

import { createHash } from "node:crypto";
import postgres, { type Sql, type TransactionSql } from "postgres";
import messages from "../../migrations/0001_messages.sql" with { type: "text" };
import appendAtOnce from "../../migrations/0002_append_at_once.sql" with { type: "text" };
import identities from "../../migrations/0003_identities.sql" with { type: "text" };
import appendInRuns from "../../migrations/0004_append_in_runs.sql" with { type: "text" };
import { type Logger, silentLogger } from "../base/log";
import { StoreError } from "./error";
import { toStoreError } from "./sql-errors";
import { type DatabaseTarget, describeTarget, postgresJsOptions } from "./target";

/** One step of the schema. Once released it is never changed: what is to change comes in a new one. */
export interface Migration {
  /** As the file in `migrations/`: four digits, then what it does. */
  readonly name: string;
  /** Statements, run in one transaction. */
  readonly sql: string;
}

/** All there are, in the order in which they apply; the first is number 1. */
export const MIGRATIONS: readonly Migration[] = [
  { name: "0001_messages", sql: messages },
  { name: "0002_append_at_once", sql: appendAtOnce },
  { name: "0003_identities", sql: identities },
  { name: "0004_append_in_runs", sql: appendInRuns },
];

/** The oldest server that is served: what `SHOW server_version_num` says of Postgres 14. */
const LEAST_SERVER_VERSION = 140_000;

/** The key of the advisory lock that is held while a migration runs: "tideline" in ASCII. */
const LOCK_KEY = "8388346167727582821";

/** `undefined_table`: what Postgres says before the first migration. */
const UNDEFINED_TABLE = "42P01";

export interface MigrateOptions {
  readonly log?: Logger;
  /** Default {@link MIGRATIONS}. */
  readonly migrations?: readonly Migration[];
}

/** A row of the table that keeps the account of what was applied. */
interface Applied {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
}

/**
 * Applies what is missing. Each migration runs in a transaction of its own under an advisory lock, so several
 * nodes may start at once, and one that dies leaves nothing half done. A database that is up to date is only
 * read: a standby will do.
 *
 * @throws StoreError `incompatible` when the server is older than Postgres 14, or the database is newer than
 *   this program, or was made by other migrations than these, or does not let us create tables; `unreachable`
 *   when it does not answer.
 */
export async function migrate(target: DatabaseTarget, options: MigrateOptions = {}): Promise<void> {
  const log = options.log ?? silentLogger;
  const migrations = options.migrations ?? MIGRATIONS;
  const where = describeTarget(target);
  const sql = postgres(postgresJsOptions(target, { connections: 1, applicationName: "tideline migrate" }));
  try {
    await checkServer(sql, where);
    let pending = nextMigration(migrations, await readAppliedIfAny(sql), where);
    while (pending !== undefined) {
      pending = await applyNext(sql, migrations, { log, where });
    }
  } catch (error) {
    throw toStoreError(error, `the database ${where} could not be migrated`);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function checkServer(sql: Sql<Types>, where: string): Promise<void> {
  const [row] = await sql<{ version: string; name: string }[]>`
    SELECT current_setting('server_version_num') AS version, current_setting('server_version') AS name`;
  if (row === undefined || Number(row.version) >= LEAST_SERVER_VERSION) return;
  throw new StoreError("incompatible", `the database ${where} is Postgres ${row.name}; tideline needs 14 or later`);
}

/** What the store's connections give and take besides the drivers' own types. */
type Types = { bigint: bigint };

async function readAppliedIfAny(sql: Sql<Types>): Promise<readonly Applied[]> {
  try {
    return await readApplied(sql);
  } catch (error) {
    if (error instanceof postgres.PostgresError && error.code === UNDEFINED_TABLE) return [];
    throw error;
  }
}

function readApplied(sql: Sql<Types> | TransactionSql<Types>): Promise<readonly Applied[]> {
  return sql<Applied[]>`SELECT number, name, sha256 FROM tideline_migrations ORDER BY number`;
}

/** Applies the next migration, if another node has not done it meanwhile, and tells which one is next then. */
function applyNext(
  sql: Sql<Types>,
  migrations: readonly Migration[],
  context: { readonly log: Logger; readonly where: string },
): Promise<Migration | undefined> {
  return sql.begin(async (transaction) => {
    await transaction`SELECT pg_advisory_xact_lock(${LOCK_KEY}::int8)`;
    await transaction`CREATE TABLE IF NOT EXISTS tideline_migrations (
      number integer PRIMARY KEY,
      name text NOT NULL,
      sha256 text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`;
    const applied = await readApplied(transaction);
    const migration = nextMigration(migrations, applied, context.where);
    if (migration === undefined) return undefined;
    await transaction.unsafe(migration.sql).simple();
    const number = applied.length + 1;
    await transaction`
      INSERT INTO tideline_migrations (number, name, sha256)
      VALUES (${number}, ${migration.name}, ${sha256(migration.sql)})`;
    context.log.info("migration applied", { migration: migration.name });
    return migrations[number];
  });
}

/** The first migration that is not applied, after a look at whether those that are, are ours. */
function nextMigration(
  migrations: readonly Migration[],
  applied: readonly Applied[],
  where: string,
): Migration | undefined {
  for (const [index, row] of applied.entries()) {
    const ours = migrations[index];
    if (ours === undefined) {
      throw new StoreError(
        "incompatible",
        `the database ${where} is newer than this program: it has migration ${row.name}, and this program knows ${migrations.length}; start the newer tideline that migrated it`,
      );
    }
    if (row.number !== index + 1 || row.name !== ours.name || row.sha256 !== sha256(ours.sql)) {
      throw new StoreError(
        "incompatible",
        `the database ${where} was made by other migrations: its number ${row.number} is ${row.name}, which is not the ${ours.name} of this program; use another database, or the tideline that made this one`,
      );
    }
  }
  return migrations[applied.length];
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
