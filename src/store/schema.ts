/** The tables as Drizzle sees them. What they promise, and why they look as they do, is in `migrations/`. */

import type { Query } from "drizzle-orm";
import {
  bigint,
  customType,
  index,
  type PgDatabase,
  type PgQueryResultHKT,
  pgTable,
  primaryKey,
  smallint,
  unique,
} from "drizzle-orm/pg-core";
import { GROUP, type Kind, WELCOME } from "../core/topic";

/** A connection, as far as statements are made for it: of either driver. */
export interface Session {
  /** Builds statements from the tables above, and runs those whose answers are small. */
  readonly database: Pick<PgDatabase<PgQueryResultHKT>, "select">;
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

function readKind(value: number): Kind {
  if (value === GROUP || value === WELCOME) return value;
  throw new RangeError(`a stored message is of a kind that is not known here: ${value}`);
}
