import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { SQL } from "bun";
import { drizzle } from "drizzle-orm/bun-sql";
import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { GROUP, type PerKind, WELCOME } from "../../src/core/topic";
import { DELETE_LOCK_KEY, prepareDeletes } from "../../src/store/deleter";
import { startRetention } from "../../src/store/retention";
import { type Store, sessionSettings } from "../../src/store/store";
import { bunSqlOptions } from "../../src/store/target";
import type { Deleted } from "../../src/store/types";
import { createDatabase, type TestDatabase } from "../support/database";
import { connectSql } from "../support/sql-connection";
import { message, openTestStore, topic, upTo } from "./store-fixtures";

const HOUR_NS = 3_600_000_000_000n;

let database: TestDatabase;
let admin: SQL;
/** Stamps what it stores two hours ago. */
let past: Store;
let store: Store;

beforeAll(async () => {
  database = await createDatabase();
  admin = connectSql(database.target);
  const clock = { ...systemClock, wallNs: () => systemClock.wallNs() - 2n * HOUR_NS };
  past = await openTestStore(database.target, { clock });
  store = await openTestStore(database.target);
});

afterAll(async () => {
  await past[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await admin.close({ timeout: 0 });
  await database[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await admin.unsafe("TRUNCATE messages");
  await admin.unsafe("UPDATE sequences SET last = 0");
});

const append = (to: Store, ...texts: readonly string[]) =>
  to.appender({ onCommitted: () => {} }).append(texts.map((text) => message("a", text)));

const deleteOld = (from: Store, above = 0n, ageNs = HOUR_NS) => from.deleter.deleteOld({ kind: GROUP, above, ageNs });

async function stored(): Promise<readonly bigint[]> {
  return (await store.reader.above(GROUP, 0n, 10_000, 1 << 30)).map(({ id }) => id);
}

test("what is older than it may be goes, what is younger stays, and so does the other kind", async () => {
  await append(past, "1", "2", "3");
  await append(store, "4", "5");
  await past.appender({ onCommitted: () => {} }).append([message("w", "1", WELCOME)]);
  const deleted = await deleteOld(store);
  expect(deleted).toEqual({ mine: true, rows: 3, bytes: 3, goneUpTo: 3n, more: false });
  expect(await stored()).toEqual([4n, 5n]);
  expect(await store.reader.heads([topic("w", WELCOME)])).toEqual([1n]);
});

test("an id is never given again, even if everything was deleted", async () => {
  await append(past, "1", "2", "3");
  expect(await deleteOld(store)).toMatchObject({ rows: 3, goneUpTo: 3n });
  expect(await stored()).toEqual([]);
  expect(await store.reader.headIds()).toEqual([3n, 0n]);
  expect(await append(store, "4")).toEqual([4n]);
});

test("a message that was deleted is a new one when it is sent again", async () => {
  await append(past, "same", "other");
  expect(await append(store, "same")).toEqual([1n]);
  await deleteOld(store);
  expect(await append(store, "same")).toEqual([3n]);
  expect(await append(store, "same")).toEqual([3n]);
});

test("a commit deletes a bounded number of messages, and says that there may be more", async () => {
  await append(past, ...upTo(1_500).map(String));
  expect(await deleteOld(store)).toMatchObject({ rows: 1_000, goneUpTo: 1_000n, more: true });
  expect(await deleteOld(store, 1_000n)).toMatchObject({ rows: 500, goneUpTo: 1_500n, more: true });
  expect(await deleteOld(store, 1_500n)).toMatchObject({ rows: 0, goneUpTo: 1_500n, more: false });
});

test("a commit deletes a bounded number of bytes", async () => {
  const large = "x".repeat(3 << 20);
  await append(past, ...upTo(5).map((n) => `${large}${n}`));
  expect(await deleteOld(store)).toMatchObject({ rows: 3, goneUpTo: 3n, more: true });
  expect(await deleteOld(store, 3n)).toMatchObject({ rows: 2, goneUpTo: 5n });
});

test("a node whose clock runs ahead deletes nothing that the database finds young enough", async () => {
  await append(store, "1", "2");
  const clock = { ...systemClock, wallNs: () => systemClock.wallNs() + 10n * HOUR_NS };
  await using ahead = await openTestStore(database.target, { clock });
  expect(await deleteOld(ahead)).toMatchObject({ mine: true, rows: 0, goneUpTo: 0n });
});

test("a message stamped too early, by a clock that went back, stays as long as those before it", async () => {
  await append(past, "1");
  await append(store, "2");
  await append(past, "3");
  expect(await deleteOld(store)).toMatchObject({ rows: 1, goneUpTo: 1n, more: false });
  expect(await stored()).toEqual([2n, 3n]);
});

test("while one process deletes, another deletes nothing, but learns what is gone", async () => {
  await append(past, ...upTo(6).map(String));
  await admin.unsafe("DELETE FROM messages WHERE id <= 4");
  await using transaction = await admin.reserve();
  await transaction.unsafe("BEGIN");
  await transaction.unsafe(`SELECT pg_advisory_xact_lock(${DELETE_LOCK_KEY})`);
  expect(await deleteOld(store)).toEqual({ mine: false, rows: 0, bytes: 0, goneUpTo: 4n, more: false });
  await transaction.unsafe("COMMIT");
  expect(await deleteOld(store)).toMatchObject({ mine: true, rows: 2, goneUpTo: 6n });
});

test("what begins with a prefix goes when it is too old, and nothing else", async () => {
  const texts = (to: Store, ...names: readonly string[]) =>
    to.appender({ onCommitted: () => {} }).append(names.map((name) => message(name, name)));
  await texts(past, "own.1", "own.2", "own", "other");
  await texts(store, "own.3");
  expect(await store.deleter.deleteBeginning(topic("own."), HOUR_NS)).toBe(2);
  expect(await stored()).toEqual([3n, 4n, 5n]);
});

test("a publisher who sends again what is being deleted waits for that, and nobody else's messages are lost", async () => {
  await append(past, "old");
  await using transaction = await admin.reserve();
  await transaction.unsafe("BEGIN");
  await transaction.unsafe("DELETE FROM messages WHERE id = 1");
  const again = append(store, "old", "new");
  await waitsForLock();
  await transaction.unsafe("COMMIT");
  expect(await again).toEqual([2n, 3n]);
  expect(await stored()).toEqual([2n, 3n]);
});

test("a running retention deletes kind by kind what has become too old, and tells of it", async () => {
  await append(past, ...upTo(2_500).map(String));
  await past.appender({ onCommitted: () => {} }).append([message("w", "1", WELCOME)]);
  await append(store, "young");
  const deleted: PerKind<Deleted[]> = [[], []];
  const done = Promise.withResolvers<void>();
  {
    await using _retention = startRetention({
      deleter: store.deleter,
      maxAgeMs: [3_600_000, undefined],
      clock: systemClock,
      log: silentLogger,
      onDeleted: (kind, batch) => {
        deleted[kind].push(batch);
        if (!batch.more) done.resolve();
      },
    });
    await done.promise;
  }
  expect(deleted[GROUP].map(({ rows }) => rows)).toEqual([1_000, 1_000, 500]);
  expect(deleted[WELCOME]).toEqual([]);
  expect(await stored()).toEqual([2_501n]);
});

test("its plan, made while the table was empty, is right for a full one too", async () => {
  let text = "";
  const statements = prepareDeletes({
    database: drizzle(admin),
    run: async (statement) => {
      text = statement.sql;
      return [];
    },
  });
  await statements.deleteOld({ kind: GROUP, above: 0n, createdBeforeNs: 0n, ageNs: 0n });
  const pool = { connections: 1, applicationName: "test", settings: sessionSettings(10_000) };
  const session = new SQL(bunSqlOptions(database.target, pool));
  try {
    await session.unsafe("SET plan_cache_mode = force_generic_plan");
    await session.unsafe(`PREPARE old AS ${text}`);
    const execute = "EXECUTE old (0, 0, 0, 1000, 0, 0)";
    await session.unsafe(execute);
    await append(store, ...upTo(5_000).map(String));
    const rows: readonly (readonly string[])[] = await session.unsafe(`EXPLAIN ${execute}`).values();
    const plan = rows.map(([line]) => line).join("\n");
    expect(plan).not.toContain("Seq Scan");
    expect(plan.match(/Index Scan using messages_pkey/g)).toHaveLength(2);
  } finally {
    await session.close({ timeout: 0 });
  }
});

/** Resolves once an append of ours waits for somebody else's transaction. */
async function waitsForLock(): Promise<void> {
  const other = connectSql(database.target);
  try {
    for (;;) {
      const [row] = await other.unsafe(
        "SELECT count(*)::int4 AS waiting FROM pg_stat_activity WHERE application_name = 'tideline append' AND wait_event_type = 'Lock' AND datname = current_database()",
      );
      if (row.waiting > 0) return;
    }
  } finally {
    await other.close({ timeout: 0 });
  }
}
