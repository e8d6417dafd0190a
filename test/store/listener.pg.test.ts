import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { SQL } from "bun";
import { startListener } from "../../src/store/listener";
import type { DatabaseTarget } from "../../src/store/target";
import type { ListenerEvents, Newest } from "../../src/store/types";
import { createDatabase, type TestDatabase } from "../support/database";
import { startRelay } from "../support/database-relay";
import { connectSql } from "../support/sql-connection";
import { until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";

/** Everything that was told, in order. */
class Heard implements ListenerEvents {
  readonly notified: (Newest | undefined)[] = [];
  readonly health: boolean[] = [];
  listens = 0;
  readonly onNotify = (newest?: Newest) => void this.notified.push(newest);
  readonly onListen = () => void this.listens++;
  readonly onHealth = (listening: boolean) => void this.health.push(listening);
}

const CANARY_MS = 1_000;
const DEAF_MS = 3_000;
const OPEN_MS = 5_000;
/** What passes between two looks: so little that no session is found deaf, or late, because the machine is busy. */
const LITTLE_MS = 5;

let database: TestDatabase;
let sql: SQL;

beforeAll(async () => {
  database = await createDatabase();
  sql = connectSql(database.target);
});

afterAll(async () => {
  await sql.close();
  await database[Symbol.asyncDispose]();
});

let appended = 0;

/** Appends one message of a kind, never the same twice. */
async function append(kind: 0 | 1): Promise<void> {
  const digest = new Uint8Array(32);
  new DataView(digest.buffer).setUint32(0, ++appended);
  await sql`SELECT first FROM append_in_runs(${kind}::int2, 1, '{1}', ${new Uint8Array([kind, 1])}, '{0,2}', ${digest}, ''::bytea, '{0,0}')`;
}

/** The time of the listeners under test, which have their ordinary intervals. */
let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});

function listen(target: DatabaseTarget, heard: Heard): Promise<AsyncDisposable> {
  return startListener(target, heard, { clock, canaryMs: CANARY_MS, deafMs: DEAF_MS, openMs: OPEN_MS });
}

/** As until, while time passes. */
async function whileTimePasses(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  await until(async () => {
    if (await condition()) return true;
    clock.advance(LITTLE_MS);
    return false;
  }, what);
}

/** Sessions of listeners on this database that are there now. */
async function backends(): Promise<readonly number[]> {
  const rows = await sql`
    SELECT pid FROM pg_stat_activity WHERE application_name = 'tideline listener' AND datname = current_database()`;
  return rows.map((row: { pid: number }) => row.pid);
}

describe("the listener", () => {
  test("tells of each commit what its newest message is, of any kind", async () => {
    const heard = new Heard();
    await using _listener = await listen(database.target, heard);
    expect(heard.listens).toBe(1);
    await append(0);
    await append(1);
    await append(0);
    await until(() => heard.notified.length === 3, "three notifications");
    expect(heard.notified).toEqual([
      { kind: 0, id: 1n },
      { kind: 1, id: 1n },
      { kind: 0, id: 2n },
    ]);
  });

  test("passes on a notification that it does not understand, without an id", async () => {
    const heard = new Heard();
    await using _listener = await listen(database.target, heard);
    for (const payload of ["", "7:1", "0:x", "0:99999999999999999999"])
      await sql`SELECT pg_notify('tideline', ${payload})`;
    await until(() => heard.notified.length === 4, "four notifications");
    expect(heard.notified).toEqual([undefined, undefined, undefined, undefined]);
  });

  test("is healthy as soon as its first canary came back, and canaries wake nobody", async () => {
    const heard = new Heard();
    await using _listener = await listen(database.target, heard);
    await until(() => heard.health.length === 1, "health");
    const [pid] = await backends();
    const lastQuery = async () => {
      const [row] = await sql`SELECT query_start::text AS at FROM pg_stat_activity WHERE pid = ${pid}`;
      return row.at;
    };
    for (let canary = 1; canary <= 3; canary++) {
      const before = await lastQuery();
      clock.advance(CANARY_MS);
      await until(async () => (await lastQuery()) !== before, `canary number ${canary}`);
    }
    expect(heard.health).toEqual([true]);
    expect(heard.notified).toEqual([]);
  });

  test("listens again each time its backend is terminated, 20 times, and says so each time", async () => {
    const heard = new Heard();
    await using _listener = await listen(database.target, heard);
    for (let round = 1; round <= 20; round++) {
      await until(() => heard.health.length === 2 * round - 1, `health number ${round}`);
      const [pid] = await backends();
      await sql`SELECT pg_terminate_backend(${pid})`;
      await whileTimePasses(() => heard.listens === round + 1, `listen number ${round + 1}`);
    }
    await until(() => heard.health.at(-1) === true, "health in the end");
    expect(heard.health).toEqual(Array.from({ length: 41 }, (_, index) => index % 2 === 0));
    await append(0);
    await until(() => heard.notified.length > 0, "a notification after all that");
  });

  test("notices within 5 s that it has gone deaf, drops the silent connection and listens anew", async () => {
    const heard = new Heard();
    await using relay = await startRelay(database.target);
    await using _listener = await listen(relay.target, heard);
    await until(() => heard.health.length === 1, "health");
    relay.silence();
    clock.advance(CANARY_MS + DEAF_MS - 1);
    expect(heard.health).toEqual([true]);
    clock.advance(1);
    await until(() => heard.health.length === 2, "the loss to be noticed");
    await whileTimePasses(() => heard.health.length === 3, "health again");
    expect(heard.health).toEqual([true, false, true]);
    expect(relay.accepted).toBe(2);
    await append(0);
    await until(() => heard.notified.length === 1, "a notification");
    await until(async () => (await backends()).length === 1, "the silent session's backend to be gone");
  });

  test("gives up an attempt that gets no answer, and goes on trying", async () => {
    const heard = new Heard();
    await using relay = await startRelay(database.target);
    relay.swallow(true);
    const listening = listen(relay.target, heard);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await whileTimePasses(() => relay.accepted === attempt, `attempt number ${attempt}`);
      clock.advance(OPEN_MS);
    }
    await using _listener = await listening;
    expect(heard.health).toEqual([]);
    relay.swallow(false);
    await whileTimePasses(() => heard.health.length === 1, "health");
  });

  test("starts where nothing answers, without an error and without health", async () => {
    const heard = new Heard();
    const nowhere = { ...database.target, address: { kind: "tcp", host: "127.0.0.1", port: 1 } } as const;
    await using _listener = await listen(nowhere, heard);
    expect(heard).toMatchObject({ listens: 0, health: [], notified: [] });
  });

  test("after its disposal nothing is told and no session is left", async () => {
    const heard = new Heard();
    const listener = await listen(database.target, heard);
    await until(() => heard.health.length === 1, "health");
    await listener[Symbol.asyncDispose]();
    const told = { ...heard };
    await append(0);
    await until(async () => (await backends()).length === 0, "no session to be left");
    expect({ ...heard }).toEqual(told);
  });
});
