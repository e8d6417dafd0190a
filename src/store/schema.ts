/** The tables as Drizzle sees them. What they promise, and why they look as they do, is in `migrations/`. */

import type { Query } from "drizzle-orm";
import {
  bigint,
  customType,
  index,
  integer,
  type PgDatabase,
  type PgQueryResultHKT,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
} from "drizzle-orm/pg-core";
import { GROUP, type Kind, WELCOME } from "../core/topic";

/** A connection, as far as statements are made for it: of either driver. */
export interface SqlSession {
  /** Builds statements from the tables above, and runs those whose answers are small. */
  readonly database: Pick<PgDatabase<PgQueryResultHKT>, "select" | "insert">;
  /**
   * Runs a statement that `database` built, as a prepared one. A row is an array of what the driver makes of each
   * column. For answers of many rows: Drizzle takes longer to make objects of them than the driver to read them.
   */
  readonly run: <Row>(statement: Query, values: Readonly<Record<string, unknown>>) => Promise<readonly Row[]>;
}

/** Bytes of a column's own: the driver copies them out of its buffer, so they stay valid for ever. */
const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => "bytea" });

const kind = customType<{ data: Kind; driverData: number }>({ dataType: () => "smallint", fromDriver: readKind });

export const messages = pgTable(
  "messages",
  {
    id: bigint("id", { mode: "bigint" }).notNull(),
    createdNs: bigint("created_ns", { mode: "bigint" }).notNull(),
    kind: kind("kind").notNull(),
    arm: smallint("arm").notNull(),
    topic: bytes("topic").notNull(),
    digest: bytes("digest").notNull(),
    body: bytes("body").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.id] }),
    unique("messages_topic_digest").on(table.topic, table.digest),
    index("messages_topic_id").on(table.topic, table.id),
  ],
);

export const sequences = pgTable("sequences", {
  kind: kind("kind").primaryKey(),
  last: bigint("last", { mode: "bigint" }).notNull(),
});

export const identityUpdates = pgTable(
  "identity_updates",
  {
    id: bigint("id", { mode: "bigint" }).notNull(),
    inboxId: text("inbox_id").notNull(),
    createdNs: bigint("created_ns", { mode: "bigint" }).notNull(),
    body: bytes("body").notNull(),
  },
  (table) => [primaryKey({ columns: [table.inboxId, table.id] })],
);

export const inboxes = pgTable("inboxes", {
  inboxId: text("inbox_id").primaryKey(),
  version: bigint("version", { mode: "bigint" }).notNull(),
  /** How many updates its log has: for operators. */
  updates: integer("updates").notNull(),
  state: bytes("state").notNull(),
});

export const identifiers = pgTable(
  "identifiers",
  {
    kind: smallint("kind").notNull(),
    identifier: text("identifier").notNull(),
    inboxId: text("inbox_id").notNull(),
    id: bigint("id", { mode: "bigint" }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.identifier, table.inboxId] }),
    index("identifiers_newest").on(table.kind, table.identifier, table.id),
  ],
);

export const keyPackages = pgTable("key_packages", {
  installationKey: bytes("installation_key").primaryKey(),
  createdNs: bigint("created_ns", { mode: "bigint" }).notNull(),
  body: bytes("body").notNull(),
});

export const commitLog = pgTable(
  "commit_log",
  {
    id: bigint("id", { mode: "bigint" }).notNull(),
    groupId: bytes("group_id").notNull(),
    createdNs: bigint("created_ns", { mode: "bigint" }).notNull(),
    body: bytes("body").notNull(),
  },
  (table) => [primaryKey({ columns: [table.groupId, table.id] })],
);

function readKind(value: number): Kind {
  if (value === GROUP || value === WELCOME) return value;
  throw new RangeError(`a stored message is of a kind that is not known here: ${value}`);
}
