import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { GROUP } from "../../src/core/topic";
import { locateBinaries } from "../../src/store/embedded/binaries";
import { startEmbedded } from "../../src/store/embedded/database";
import { StoreError } from "../../src/store/error";
import { migrate } from "../../src/store/migrate";
import { AnswerOverdue } from "../../src/store/sql-errors";
import { SqlPool } from "../../src/store/sql-pool";
import { createDatabase, type TestDatabase } from "../support/database";
import { quickDisk } from "../support/quick-disk";
import { connectSql } from "../support/sql-connection";
import { PATIENCE_MS, until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";
import { startProxy } from "./retry-proxy";
import { message, openTestStore, rejection, textOf, topic, upTo } from "./store-fixtures";

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
    await using proxy = await startProxy(database.target);
    const error = await rejection(openTestStore({ ...proxy.target, database: "nowhere" }));
    expect(error).toMatchObject({ fault: "unreachable" });
    expect(error instanceof Error && error.message).toContain("3D000");
    expect(proxy.made).toBe(1);
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

test("a database that takes messages is no standby", async () => {
  await using store = await openTestStore(database.target);
  expect(await store.reader.isStandby()).toBe(false);
});

test("readers that get no answer do not hold up publishing", async () => {
  await using proxy = await startProxy(database.target);
  const timeouts = { connectMs: PATIENCE_MS, statementMs: 500, answerMs: 600 };
  await using store = await openTestStore(proxy.target, { readConnections: 2, timeouts });
  const appender = store.appender({ onCommitted: () => {} });
  proxy.fault = { kind: "silence", match: "stuck", times: 2 };
  const reads = upTo(10).map((nth) =>
    store.reader.ofTopic(topic("stuck"), "ascending", BigInt(nth), { rows: 1, bytes: 1_000 }),
  );
  await until(() => proxy.struck === 2, "both connections for reading are silent");
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
  const ANSWER_MS = 50;
  /** Nothing is overdue before a test says so. */
  const makePool = (options: { readonly connections: number; readonly maxWaiting: number; readonly clock?: Clock }) =>
    new SqlPool(
      {
        target: database.target,
        clock: new VirtualClock(),
        applicationName: "pool test",
        connectMs: PATIENCE_MS,
        settings: {},
        answerMs: ANSWER_MS,
        ...options,
      },
      () => undefined,
    );

  test("opens no more connections than it may, and serves in the order asked for", async () => {
    await using pool = makePool({ connections: 2, maxWaiting: 100 });
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
    const clock = new VirtualClock();
    await using pool = makePool({ connections: 1, maxWaiting: 1, clock });
    const stuck = rejection(pool.run(() => new Promise(() => {})));
    const waiting = pool.run(async () => "served");
    expect(await rejection(pool.run(async () => "never"))).toMatchObject({ fault: "full" });
    clock.advance(ANSWER_MS - 1);
    expect(clock.armed).toBe(1);
    clock.advance(1);
    expect(await stuck).toBeInstanceOf(AnswerOverdue);
    expect(await waiting).toBe("served");
  });

  test("fails whoever waits when it is closed", async () => {
    const pool = makePool({ connections: 1, maxWaiting: 10 });
    const running = pool.run(() => systemClock.sleep(10));
    const waiting = rejection(pool.run(async () => {}));
    await pool[Symbol.asyncDispose]();
    expect(await waiting).toBeInstanceOf(StoreError);
    await running;
    expect(await rejection(pool.run(async () => {}))).toMatchObject({ fault: "unreachable" });
  });
});

test("what was acked outlives kill -9 of the server in mid-statement, and publishing goes on by itself", async () => {
  const directory = mkdtempSync(join(quickDisk(), "tideline-crash-"));
  try {
    const host = {
      dataDir: join(directory, "data"),
      binaries: locateBinaries(),
      clock: systemClock,
      log: silentLogger,
    };
    await using server = await startEmbedded(host);
    await migrate(server.target);
    const retry = { totalMs: 60_000, firstPauseMs: 10, maxPauseMs: 50 };
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
      await until(() => acked.size > 50, "publishing is under way");
      const killed = server.pid;
      process.kill(killed, "SIGKILL");
      // Backends outlive their postmaster for some milliseconds, in which they go on answering.
      await until(() => server.pid !== killed, "the server runs again");
      const atKill = acked.size;
      await until(() => acked.size > atKill + 100, "publishing goes on");
      publishing = false;
    };
    await Promise.all([...upTo(8).map(publish), crash()]);
    await using reader = connectSql(server.target);
    const rows: readonly { id: bigint; body: Uint8Array }[] = await reader`SELECT id, body FROM messages ORDER BY id`;
    expect(new Map(rows.map(({ id, body }) => [textOf(body), id]))).toEqual(acked);
    expect(rows.map(({ id }) => id)).toEqual(upTo(acked.size).map(BigInt));
    expect((await store.reader.headIds())[GROUP]).toBe(BigInt(acked.size));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
