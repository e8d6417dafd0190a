/** The tables as Drizzle sees them. What they promise, and why they look as they do, is in `migrations/`. */

import { bigint, customType, index, pgTable, primaryKey, smallint, unique } from "drizzle-orm/pg-core";
import { GROUP, isTopic, type Kind, type Topic, topicBytes, WELCOME } from "../core/topic";

/** Bytes of a column's own: the driver copies them out of its buffer, so they stay valid for ever. */
const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => "bytea" });

const topic = customType<{ data: Topic; driverData: Uint8Array }>({
  dataType: () => "bytea",
  toDriver: topicBytes,
  fromDriver: readTopic,
});

const kind = customType<{ data: Kind; driverData: number }>({ dataType: () => "smallint", fromDriver: readKind });

export const messages = pgTable(
  "messages",
  {
    id: bigint("id", { mode: "bigint" }).notNull(),
    createdNs: bigint("created_ns", { mode: "bigint" }).notNull(),
    kind: kind("kind").notNull(),
    arm: smallint("arm").notNull(),
    topic: topic("topic").notNull(),
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

/** @throws RangeError for bytes that no version of this program stores as a topic. */
function readTopic(bytes: Uint8Array): Topic {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  if (!isTopic(text)) throw new RangeError(`a stored topic of ${bytes.byteLength} bytes is of no known kind`);
  return text;
}

function readKind(value: number): Kind {
  if (value === GROUP || value === WELCOME) return value;
  throw new RangeError(`a stored message is of a kind that is not known here: ${value}`);
}
