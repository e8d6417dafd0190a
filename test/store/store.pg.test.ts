import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { GROUP } from "../../src/core/topic";
import { locateBinaries } from "../../src/store/embedded/binaries";
import { startEmbedded } from "../../src/store/embedded/database";
import { StoreError } from "../../src/store/error";
import { migrate } from "../../src/store/migrate";
import { AnswerOverdue } from "../../src/store/sql-errors";
import { SqlPool } from "../../src/store/sql-pool";
import { bunSqlOptions } from "../../src/store/target";
import { createDatabase, type TestDatabase } from "../support/database";
import { until } from "../support/database-wait";
import { startProxy } from "./retry-proxy";
import { message, openTestStore, QUICK_RETRY, rejection, textOf, topic, upTo } from "./store-fixtures";

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

describe("opening", () => {
  test("a database that is not migrated is incompatible", async () => {
    await using empty = await createDatabase({ migrated: false });
    const error = await rejection(openTestStore(empty.target));
    expect(error).toMatchObject({ fault: "incompatible", retryable: false });
    expect(error instanceof Error && error.message).toContain('relation "sequences" does not exist');
  });

  test("a database that is not there is unreachable, and is not asked for again", async () => {
    const since = performance.now();
    const error = await rejection(openTestStore({ ...database.target, database: "nowhere" }));
    expect(error).toMatchObject({ fault: "unreachable" });
    expect(error instanceof Error && error.message).toContain("3D000");
    expect(performance.now() - since).toBeLessThan(QUICK_RETRY.totalMs / 2);
  });

  test("a server that is not there is unreachable after the policy's time", async () => {
    const address = { kind: "socket", directory: "/nonexistent", port: 5432 } as const;
    const retry = { totalMs: 50, firstPauseMs: 5, maxPauseMs: 10 };
    const error = await rejection(openTestStore({ ...database.target, address }, { retry }));
    expect(error).toMatchObject({ fault: "unreachable", retryable: true });
  });

  test("without settings of ours it works too, as behind a pooler that refuses them", async () => {
    await using store = await openTestStore(database.target, { settings: false });
    expect(await store.reader.heads([topic("x")])).toEqual([0n]);
  });
});

test("readers that get no answer do not hold up publishing", async () => {
  await using proxy = await startProxy(database.target);
  const timeouts = { connectMs: 1_000, statementMs: 200, answerMs: 300 };
  await using store = await openTestStore(proxy.target, { readConnections: 2, timeouts });
  const appender = store.appender({ onCommitted: () => {} });
  proxy.fault = { kind: "silence", match: "stuck", times: 2 };
  const reads = upTo(10).map((nth) =>
    store.reader.ofTopic(topic("stuck"), "ascending", BigInt(nth), { rows: 1, bytes: 1_000 }),
  );
  await until("both connections for reading are silent", 5_000, () => proxy.struck === 2);
  const stored = await Promise.all(upTo(20).map((nth) => appender.append([message("flows", `${nth}`)])));
  expect(stored).toHaveLength(20);
  // The two connections that were silent are given up, and every question is answered by others.
  expect(await Promise.all(reads)).toEqual(upTo(10).map(() => ({ messages: [], isCut: false })));
});

test("a lost connection is opened again without anybody noticing", async () => {
  await using proxy = await startProxy(database.target);
  await using store = await openTestStore(proxy.target);
  for (const _ of upTo(5)) {
    proxy.cut();
    const answers = await Promise.all(upTo(20).map(() => store.reader.headIds()));
    expect(answers).toHaveLength(20);
  }
});

test("statements are prepared once per connection", async () => {
  await using proxy = await startProxy(database.target);
  await using store = await openTestStore(proxy.target, { readConnections: 1 });
  for (const _ of upTo(5)) await store.reader.heads([topic("x")]);
  const made = proxy.made;
  proxy.fault = { kind: "loseAnswer", match: "unnest(", times: 1 };
  for (const _ of upTo(5)) await store.reader.heads([topic("x")]);
  expect(proxy.struck).toBe(0);
  expect(proxy.made).toBe(made);
  // A new connection has to hear the text again.
  proxy.cut();
  await store.reader.heads([topic("x")]);
  expect(proxy.struck).toBe(1);
});

describe("the pool", () => {
  const makePool = (options: {
    readonly connections: number;
    readonly maxWaiting: number;
    readonly answerMs: number;
  }) =>
    new SqlPool(
      {
        target: database.target,
        clock: systemClock,
        applicationName: "pool test",
        connectMs: 1_000,
        settings: {},
        ...options,
      },
      () => undefined,
    );

  test("opens no more connections than it may, and serves in the order asked for", async () => {
    await using pool = makePool({ connections: 2, maxWaiting: 100, answerMs: 1_000 });
    let [running, most] = [0, 0];
    const order: number[] = [];
    const work = (nth: number) =>
      pool.run(async () => {
        order.push(nth);
        most = Math.max(most, ++running);
        await systemClock.sleep(1);
        running--;
      });
    await Promise.all(upTo(20).map(work));
    expect(most).toBe(2);
    expect(order).toEqual([...upTo(20)]);
  });

  test("says that it is full, gives up work that takes too long, and goes on", async () => {
    await using pool = makePool({ connections: 1, maxWaiting: 1, answerMs: 50 });
    const stuck = rejection(pool.run(() => new Promise(() => {})));
    const waiting = pool.run(async () => "served");
    expect(await rejection(pool.run(async () => "never"))).toMatchObject({ fault: "full" });
    expect(await stuck).toBeInstanceOf(AnswerOverdue);
    expect(await waiting).toBe("served");
  });

  test("fails whoever waits when it is closed", async () => {
    const pool = makePool({ connections: 1, maxWaiting: 10, answerMs: 1_000 });
    const running = pool.run(() => systemClock.sleep(10));
    const waiting = rejection(pool.run(async () => {}));
    await pool[Symbol.asyncDispose]();
    expect(await waiting).toBeInstanceOf(StoreError);
    await running;
    expect(await rejection(pool.run(async () => {}))).toMatchObject({ fault: "unreachable" });
  });
});

test("what was acked outlives kill -9 of the server in mid-statement, and publishing goes on by itself", async () => {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "tideline-crash-"));
  try {
    const host = {
      dataDir: join(directory, "data"),
      binaries: locateBinaries(),
      clock: systemClock,
      log: silentLogger,
    };
    await using server = await startEmbedded(host);
    await migrate(server.target);
    const retry = { totalMs: 20_000, firstPauseMs: 10, maxPauseMs: 50 };
    await using store = await openTestStore(server.target, { retry });
    const appender = store.appender({ onCommitted: () => {} });
    const acked = new Map<string, bigint>();
    let publishing = true;
    const publish = async (publisher: number) => {
      for (let nth = 1; publishing; nth++) {
        const text = `${publisher}/${nth}`;
        const [id = 0n] = await appender.append([message("crash", text)]);
        acked.set(text, id);
      }
    };
    const crash = async () => {
      await until("publishing is under way", 10_000, () => acked.size > 50);
      const killed = server.pid;
      process.kill(killed, "SIGKILL");
      // Backends outlive their postmaster for some milliseconds, in which they go on answering.
      await until("the server runs again", 10_000, () => server.pid !== killed);
      const atKill = acked.size;
      await until("publishing goes on", 10_000, () => acked.size > atKill + 100);
      publishing = false;
    };
    await Promise.all([...upTo(8).map(publish), crash()]);
    await using reader = new SQL(bunSqlOptions(server.target, { connections: 1, applicationName: "test" }));
    const rows: readonly { id: bigint; body: Uint8Array }[] = await reader`SELECT id, body FROM messages ORDER BY id`;
    expect(new Map(rows.map(({ id, body }) => [textOf(body), id]))).toEqual(acked);
    expect(rows.map(({ id }) => id)).toEqual(upTo(acked.size).map(BigInt));
    expect((await store.reader.headIds())[GROUP]).toBe(BigInt(acked.size));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 20_000);
