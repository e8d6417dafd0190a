import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Clock, systemClock } from "../../src/base/clock";
import { AnswerOverdue } from "../../src/store/sql-errors";
import { SqlPool } from "../../src/store/sql-pool";
import { createDatabase, type TestDatabase } from "../support/database";
import { connectSql } from "../support/sql-connection";
import { PATIENCE_MS, until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";
import { message, openTestStore, rejection, textOf, topic, upTo } from "./store-fixtures";

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

const ANSWER_MS = 30;

/** Nothing is overdue before a test says so. */
function sharingPool(options: { readonly connections: number; readonly depth: number; readonly clock?: Clock }) {
  return new SqlPool(
    {
      target: database.target,
      clock: new VirtualClock(),
      applicationName: "shared test",
      connectMs: PATIENCE_MS,
      settings: {},
      maxWaiting: 100,
      answerMs: ANSWER_MS,
      ...options,
    },
    () => ({}),
  );
}

test("a shared connection takes as many at once as it may, and is shared only when no other may be opened", async () => {
  await using pool = sharingPool({ connections: 2, depth: 3 });
  const used: object[] = [];
  let [running, most] = [0, 0];
  const work = () =>
    pool.run(async (connection) => {
      used.push(connection);
      most = Math.max(most, ++running);
      await systemClock.sleep(1);
      running--;
    });
  await Promise.all(upTo(20).map(work));
  expect(most).toBe(6);
  expect(new Set(used.slice(0, 2)).size).toBe(2);
  expect(new Set(used).size).toBe(2);
});

test("when a shared connection is given up, whoever comes next has another, and it is shared as much", async () => {
  const clock = new VirtualClock();
  await using pool = sharingPool({ connections: 1, depth: 2, clock });
  let given: object | undefined;
  const stuck = rejection(
    pool.run((connection) => {
      given = connection;
      return new Promise(() => {});
    }),
  );
  await until(() => given !== undefined, "the connection to be given");
  clock.advance(ANSWER_MS);
  expect(await stuck).toBeInstanceOf(AnswerOverdue);
  let running = 0;
  const { promise: both, resolve } = Promise.withResolvers<void>();
  const work = () =>
    pool.run(async (connection) => {
      if (++running === 2) resolve();
      await both;
      return connection;
    });
  const [one, two] = await Promise.all([work(), work()]);
  expect(one).toBe(two);
  expect(one).not.toBe(given);
});

/** As many as a fast machine is held up for, and a slow one can bear. */
const [MIN_KILLED, MAX_KILLED] = [3, 30];

test("everybody who shares a connection gets the answer to its own question, while connections are killed", async () => {
  await using store = await openTestStore(database.target);
  await using admin = connectSql(database.target);
  const appender = store.appender({ onCommitted: () => {} });
  const names = upTo(50).map((nth) => `topic ${nth}`);
  await appender.append(names.map((name) => message(name, `of ${name}`)));
  let killing = true;
  let killed = 0;
  const kill = async () => {
    while (killing && killed < MAX_KILLED) {
      const rows = await admin`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'tideline query' AND datname = current_database()`;
      killed += rows.length;
      await systemClock.sleep(10);
    }
  };
  const ask = async () => {
    do {
      for (const name of names) {
        const size = { rows: 100, bytes: 1 << 20 };
        const { messages: rows } = await store.reader.ofTopic(topic(name), "ascending", undefined, size);
        expect(rows.map(({ body }) => textOf(body))).toEqual([`of ${name}`]);
      }
    } while (killed < MIN_KILLED);
  };
  const killer = kill();
  await Promise.all(upTo(64).map(ask));
  killing = false;
  await killer;
  expect(killed).toBeGreaterThanOrEqual(MIN_KILLED);
});
