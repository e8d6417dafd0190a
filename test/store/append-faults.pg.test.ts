import { afterAll, beforeAll, expect, test } from "bun:test";
import type { SQL } from "bun";
import { systemClock } from "../../src/base/clock";
import { createLogger } from "../../src/base/log";
import { GROUP } from "../../src/core/topic";
import { DEFAULT_BATCHER_LIMITS } from "../../src/store/batcher";
import { StoreError } from "../../src/store/error";
import { createDatabase, type TestDatabase } from "../support/database";
import { connectSql } from "../support/sql-connection";
import { PATIENCE_MS, until } from "../support/until";
import { type BadNetwork, startProxy } from "./retry-proxy";
import { ascending, message, openTestStore, poison, rejection, textOf, upTo } from "./store-fixtures";

let database: TestDatabase;
let admin: SQL;

beforeAll(async () => {
  database = await createDatabase();
  admin = connectSql(database.target);
});

afterAll(async () => {
  await admin.close({ timeout: 0 });
  await database[Symbol.asyncDispose]();
});

/** A store behind a bad network. */
async function openBehindProxy(options: Parameters<typeof openTestStore>[1] = {}, proxy?: BadNetwork) {
  proxy ??= await startProxy(database.target);
  const store = await openTestStore(proxy.target, options);
  const told: bigint[] = [];
  const appender = store.appender({ onCommitted: (batch) => void told.push(...batch.messages.map(({ id }) => id)) });
  return {
    proxy,
    store,
    appender,
    told,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

/** The bodies of a group topic's messages in order of id, with their ids. */
async function stored(prefix: string): Promise<readonly { readonly id: bigint; readonly text: string }[]> {
  const rows: readonly { id: bigint; body: Uint8Array }[] = await admin.unsafe(
    "SELECT id, body FROM messages WHERE kind = 0 AND convert_from(body, 'UTF8') LIKE $1 ORDER BY id",
    [`${prefix}%`],
  );
  return rows.map(({ id, body }) => ({ id, text: textOf(body) }));
}

test("what was acked is stored exactly once although backends are killed in mid-statement twenty times", async () => {
  // Nearly every batch is sent behind another.
  await using node = await openBehindProxy({ batcher: { ...DEFAULT_BATCHER_LIMITS, aheadRows: 1 } });
  const acked = new Map<string, bigint>();
  let [killed, publishing] = [0, true];
  const publish = async (publisher: number) => {
    for (let nth = 1; publishing; nth++) {
      const text = `kill ${publisher}/${nth}`;
      const [id = 0n] = await node.appender.append([message(`kill${publisher}`, text)]);
      acked.set(text, id);
    }
  };
  const kill = async () => {
    while (killed < 20) {
      const rows = await admin.unsafe(`SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'tideline append' AND state = 'active'`);
      killed += rows.length;
    }
    publishing = false;
  };
  await Promise.all([...upTo(8).map(publish), kill()]);
  const rows = await stored("kill ");
  expect(new Map(rows.map(({ id, text }) => [text, id]))).toEqual(acked);
  expect(rows).toHaveLength(acked.size);
  expect(node.told).toEqual([...new Set(node.told)].sort(ascending));
  expect(node.told.every((id) => rows.some((row) => row.id === id))).toBe(true);
});

test("a batch whose answer was lost is stored once, has the right ids, and is not told as fresh", async () => {
  await using node = await openBehindProxy();
  await node.appender.append([message("lost", "lost 0")]);
  node.proxy.fault = { kind: "loseAnswer", match: "lost 1", times: 1 };
  const requests = ["lost 1", "lost 2", "lost 1"].map((text) => node.appender.append([message("lost", text)]));
  const ids = (await Promise.all(requests)).flat();
  expect(node.proxy.struck).toBe(1);
  const rows = await stored("lost ");
  expect(rows.map(({ text }) => text)).toEqual(["lost 0", "lost 1", "lost 2"]);
  expect(ids).toEqual([1, 2, 1].map((nth) => rows[nth]?.id ?? 0n));
  expect(node.told).toEqual(rows.slice(0, 1).map(({ id }) => id));
  await node.appender.append([message("lost", "lost 3")]);
  expect(node.told.at(-1)).toBe((rows.at(-1)?.id ?? 0n) + 1n);
});

test("a connection that is open but dead is given up, and the message is stored by another", async () => {
  const timeouts = { connectMs: PATIENCE_MS, statementMs: 500, answerMs: 600 };
  await using node = await openBehindProxy({ timeouts });
  await node.appender.append([message("dead", "dead 0")]);
  node.proxy.fault = { kind: "silence", match: "dead 1", times: 1 };
  expect(await node.appender.append([message("dead", "dead 1")])).toHaveLength(1);
  expect(node.proxy.struck).toBe(1);
  expect((await stored("dead ")).map(({ text }) => text)).toEqual(["dead 0", "dead 1"]);
});

test("a database that cannot be reached is given up after the policy's time, and found again when it is back", async () => {
  const lines: string[] = [];
  const log = createLogger({ level: "debug", format: "json", write: (line) => lines.push(line), wallMs: Date.now });
  const proxy = await startProxy(database.target);
  // Time passes by attempts, however long each takes.
  const clock = { ...systemClock, now: () => proxy.struck * 20 };
  const retry = { totalMs: 60, firstPauseMs: 5, maxPauseMs: 5 };
  await using node = await openBehindProxy({ retry, log, clock }, proxy);
  node.proxy.fault = { kind: "loseAnswer", match: "away 1", times: 1_000 };
  const error = await rejection(node.appender.append([message("away", "away 1")]));
  expect(error).toMatchObject({ fault: "unreachable", retryable: true });
  expect(node.proxy.struck).toBe(4);
  node.proxy.fault = undefined;
  expect(await node.appender.append([message("away", "away 1")])).toHaveLength(1);
  expect(await stored("away ")).toHaveLength(1);
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(["store in trouble", "store answers again"]);
});

test("a primary that has become a standby is left for a new connection", async () => {
  await using node = await openBehindProxy();
  await node.appender.append([message("standby", "standby 0")]);
  const name = database.target.database;
  await admin.unsafe(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  node.proxy.cut();
  const made = node.proxy.made;
  const pending = node.appender.append([message("standby", "standby 1")]);
  // Each attempt comes on a connection of its own.
  await until(() => node.proxy.made >= made + 3, "three connections were refused");
  await admin.unsafe("SET default_transaction_read_only = off");
  await admin.unsafe(`ALTER DATABASE ${name} SET default_transaction_read_only = off`);
  expect(await pending).toHaveLength(1);
  expect(await stored("standby ")).toHaveLength(2);
});

test("a statement that was cancelled is repeated", async () => {
  await using node = await openBehindProxy();
  const blocker = connectSql(database.target, "blocker");
  const reserved = await blocker.reserve();
  await reserved.unsafe("BEGIN");
  await reserved.unsafe("UPDATE sequences SET last = last WHERE kind = 0");
  const pending = node.appender.append([message("cancel", "cancel 1")]);
  const cancelled = async () => {
    const rows = await admin.unsafe(
      "SELECT pg_cancel_backend(pid) AS done FROM pg_stat_activity WHERE application_name = 'tideline append' AND wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  };
  await until(cancelled, "the statement waits and is cancelled");
  await reserved.unsafe("ROLLBACK");
  await blocker.close({ timeout: 0 });
  expect(await pending).toHaveLength(1);
});

test("no parameter of a statement is in an error, its cause, or a log", async () => {
  const lines: string[] = [];
  const log = createLogger({ level: "debug", format: "json", write: (line) => lines.push(line), wallMs: Date.now });
  await using node = await openBehindProxy({ log, retry: { totalMs: 30, firstPauseMs: 5, maxPauseMs: 5 } });
  const secret = "sesame";
  const refused = await rejection(node.appender.append([message(secret, secret), poison(secret)]));
  node.proxy.fault = { kind: "loseAnswer", match: secret, times: 1_000 };
  const unreachable = await rejection(node.appender.append([message(secret, secret)]));
  expect([refused, unreachable].map((error) => error instanceof StoreError && error.fault)).toEqual([
    "refused",
    "unreachable",
  ]);
  const forms = [secret, Buffer.from(secret).toString("hex"), Buffer.from(secret).toString("base64")];
  for (const error of [refused, unreachable]) {
    const shown = `${Bun.inspect(error, { depth: 20 })} ${JSON.stringify(error)} ${error instanceof Error ? Bun.inspect(error.cause) : ""} ${lines}`;
    for (const form of forms) expect(shown).not.toContain(form);
  }
  expect(refused).toMatchObject({ message: expect.stringContaining("23514"), cause: { sqlState: "23514" } });
  expect(await node.store.reader.headIds()).toHaveProperty(`${GROUP}`);
});
