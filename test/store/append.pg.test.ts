import { afterAll, beforeAll, expect, test } from "bun:test";
import type { SQL } from "bun";
import { systemClock } from "../../src/base/clock";
import { GROUP, WELCOME } from "../../src/core/topic";
import { DEFAULT_BATCHER_LIMITS } from "../../src/store/batcher";
import { StoreError } from "../../src/store/error";
import type { Store } from "../../src/store/store";
import type { Committed, StoredMessage } from "../../src/store/types";
import { createDatabase, type TestDatabase } from "../support/database";
import { connectSql } from "../support/sql-connection";
import { until } from "../support/until";
import { ascending, message, openTestStore, poison, rejection, textOf, topic, upTo } from "./store-fixtures";

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

/** A store with an appender that remembers what it was told. */
async function openAppender(options: Parameters<typeof openTestStore>[1] = {}) {
  const store = await openTestStore(database.target, options);
  const told: Committed[] = [];
  const appender = store.appender({ onCommitted: (batch) => void told.push(batch) });
  return {
    store,
    appender,
    told,
    toldIds: () => told.flatMap((batch) => batch.messages.map(({ id }) => id)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** All rows of a kind above an id, as a reader with a cursor pages through them. */
async function readAll(store: Store, above = 0n): Promise<readonly StoredMessage[]> {
  const all: StoredMessage[] = [];
  for (;;) {
    const page = await store.reader.above(GROUP, all.at(-1)?.id ?? above, 100, 1 << 20);
    if (page.length === 0) return all;
    all.push(...page);
  }
}

async function newestId(store: Store): Promise<bigint> {
  return (await store.reader.headIds())[GROUP];
}

/** Holds the counter of a kind, as a publisher would whose commit takes long; gives it back on disposal. */
async function holdCounter() {
  const session = connectSql(database.target, "holder");
  const reserved = await session.reserve();
  await reserved.unsafe("BEGIN");
  await reserved.unsafe("UPDATE sequences SET last = last WHERE kind = 0");
  return {
    async [Symbol.asyncDispose]() {
      await reserved.unsafe("ROLLBACK");
      await session.close({ timeout: 0 });
    },
  };
}

test("what was appended is read back whole, with ids in the order given and the clock's time", async () => {
  await using node = await openAppender({ clock: { ...systemClock, wallNs: () => 1_700_000_000_123_456_789n } });
  const before = await newestId(node.store);
  const request = [message("whole", "first"), { ...message("whole", "second"), arm: 2, body: new Uint8Array(0) }];
  expect(await node.appender.append(request)).toEqual([before + 1n, before + 2n]);
  const expected = request.map(({ kind, topic, arm, body }, nth) => {
    return {
      kind,
      topic,
      arm,
      body: textOf(body),
      id: before + BigInt(nth) + 1n,
      createdNs: 1_700_000_000_123_456_789n,
    };
  });
  const legible = (rows: readonly StoredMessage[]) => rows.map((row) => ({ ...row, body: textOf(row.body) }));
  expect(legible(await readAll(node.store, before))).toEqual(expected);
  expect(legible(node.told.flatMap((batch) => batch.messages))).toEqual(expected);
});

test("every byte value survives in topics, digests and bodies", async () => {
  await using node = await openAppender();
  const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
  const odd = { ...message("x", "odd"), body: bytes, topic: topic(`${textOf(bytes.slice(0, 128))}"\\{},`) };
  const [id] = await node.appender.append([odd]);
  const [row] = await node.store.reader.byIds(GROUP, BigInt64Array.of(id ?? 0n), 1);
  expect(row?.topic).toBe(odd.topic);
  expect(new Uint8Array(row?.body ?? [])).toEqual(bytes);
});

test("an empty request is stored at once", async () => {
  await using node = await openAppender();
  expect(await node.appender.append([])).toEqual([]);
});

test("the two kinds have sequences of their own", async () => {
  await using node = await openAppender();
  const [groups, welcomes] = await node.store.reader.headIds();
  const request = [message("kinds", "1", WELCOME), message("kinds", "2", WELCOME)];
  expect(await node.appender.append(request)).toEqual([welcomes + 1n, welcomes + 2n]);
  expect(await node.store.reader.headIds()).toEqual([groups, welcomes + 2n]);
});

test("a duplicate has the id of the first and is told to nobody: in a request, a batch, later, and from another node", async () => {
  await using node = await openAppender();
  await using other = await openAppender();
  const before = await newestId(node.store);
  const [a, b] = [message("dup", "a"), message("dup", "b")];
  const requests = [node.appender.append([a, b, a]), node.appender.append([b]), other.appender.append([a])];
  const [first = [], second, third] = await Promise.all(requests);
  expect(first[0]).toBe(first[2]);
  expect(second).toEqual([first[1] ?? 0n]);
  expect(third).toEqual([first[0] ?? 0n]);
  expect(await node.appender.append([b, message("dup", "c"), a])).toEqual([
    first[1] ?? 0n,
    before + 3n,
    first[0] ?? 0n,
  ]);
  expect((await readAll(node.store, before)).map(({ id }) => id)).toEqual([before + 1n, before + 2n, before + 3n]);
  expect([...node.toldIds(), ...other.toldIds()].sort(ascending)).toEqual([before + 1n, before + 2n, before + 3n]);
});

test("the same payload on another topic is another message", async () => {
  await using node = await openAppender();
  const [one, two] = await node.appender.append([message("other-1", "same"), message("other-2", "same")]);
  expect(two).toBe((one ?? 0n) + 1n);
});

test("all messages of a request are stored or none", async () => {
  await using node = await openAppender();
  const before = await newestId(node.store);
  const error = await rejection(node.appender.append([message("all", "1"), poison("secret"), message("all", "2")]));
  expect(error).toMatchObject({ fault: "refused", retryable: false });
  expect(await newestId(node.store)).toBe(before);
  expect(await readAll(node.store, before)).toEqual([]);
  expect(node.toldIds()).toEqual([]);
});

test("a message that the database refuses does not fail its neighbours", async () => {
  await using node = await openAppender();
  const before = await newestId(node.store);
  const requests = upTo(40).map((nth) => [
    nth === 7 || nth === 29 ? poison(`secret${nth}`) : message("near", `${nth}`),
  ]);
  const results = await Promise.allSettled(requests.map((request) => node.appender.append(request)));
  expect(results.flatMap(({ status }, nth) => (status === "rejected" ? [nth + 1] : []))).toEqual([7, 29]);
  expect((await readAll(node.store, before)).map(({ body }) => textOf(body))).toEqual(
    requests.flat().flatMap(({ body }) => (textOf(body).startsWith("secret") ? [] : [textOf(body)])),
  );
  expect(node.toldIds()).toEqual(upTo(38).map((nth) => before + BigInt(nth)));
});

test("what would disturb its neighbours is refused before it reaches them", async () => {
  await using node = await openAppender();
  const good = message("check", "1");
  const bad = [
    { ...good, digest: new Uint8Array(31) },
    { ...good, arm: 40_000 },
    { ...good, arm: 1.5 },
    { ...good, topic: topic("check", WELCOME) },
    message("check", "1", WELCOME),
  ];
  for (const one of bad) expect(await rejection(node.appender.append([good, one]))).toMatchObject({ fault: "refused" });
});

test("batches are told in commit order, before their promises resolve", async () => {
  const story: string[] = [];
  await using store = await openTestStore(database.target);
  const appender = store.appender({
    onCommitted: ({ messages }) => void story.push(...messages.map(({ body }) => `told ${textOf(body)}`)),
  });
  const publish = async (text: string) => {
    await appender.append([message("story", text)]);
    story.push(`stored ${text}`);
  };
  const first = publish("1");
  await Promise.resolve();
  await Promise.all([first, publish("2"), publish("3")]);
  expect(story.filter((line) => line.startsWith("told"))).toEqual(["told 1", "told 2", "told 3"]);
  for (const text of ["1", "2", "3"]) {
    expect(story.indexOf(`told ${text}`)).toBeLessThan(story.indexOf(`stored ${text}`));
  }
});

test("a listener that throws takes nothing from the publisher", async () => {
  await using store = await openTestStore(database.target);
  const appender = store.appender({
    onCommitted: () => {
      throw new TypeError("not mine");
    },
  });
  const before = await newestId(store);
  expect(await appender.append([message("throws", "1")])).toEqual([before + 1n]);
});

test("I1: eight publishers over two nodes leave no hole for a reader with a cursor, and no id before its time", async () => {
  await using one = await openAppender({ batcher: { ...DEFAULT_BATCHER_LIMITS, aheadRows: 1 } });
  await using two = await openAppender();
  await using watcher = await openTestStore(database.target);
  const before = await newestId(watcher);
  const [publishers, requests] = [8, 60];
  const acked: bigint[] = [];
  let publishing = true;
  const publish = async (publisher: number) => {
    const { appender } = publisher % 2 === 0 ? one : two;
    for (const nth of upTo(requests)) {
      const text = `${publisher}/${nth}`;
      acked.push(...(await appender.append([message(`pub${publisher}`, text), message("shared", text)])));
    }
  };
  const seen: bigint[] = [];
  const watch = async () => {
    for (let last = false; ; ) {
      const page = await watcher.reader.above(GROUP, seen.at(-1) ?? before, 50, 1 << 20);
      seen.push(...page.map(({ id }) => id));
      if (page.length === 0 && last) return;
      last = page.length === 0 && !publishing;
    }
  };
  const watching = watch();
  await Promise.all(upTo(publishers).map(publish));
  publishing = false;
  await watching;
  const expected = upTo(publishers * requests * 2).map((nth) => before + BigInt(nth));
  expect(seen).toEqual(expected);
  expect(acked.sort(ascending)).toEqual(expected);
  for (const node of [one, two]) expect(node.toldIds()).toEqual([...node.toldIds()].sort(ascending));
  expect(one.toldIds().length + two.toldIds().length).toBe(expected.length);
});

test.each([
  ["requests", { rows: 1_000, bytes: 1 << 20, requests: 3 }, "the limit is 3"],
  ["rows", { rows: 3, bytes: 1 << 20, requests: 1_000 }, "the limit is 3"],
  ["bytes", { rows: 1_000, bytes: 500, requests: 1_000 }, "the limit is 500"],
] as const)(
  "a queue with too many %s refuses more, names the limit, and loses nothing that it took",
  async (unit, queue, limit) => {
    await using node = await openAppender({ batcher: { ...DEFAULT_BATCHER_LIMITS, queue } });
    let taken: Promise<readonly bigint[]>[] = [];
    {
      await using _hold = await holdCounter();
      taken = upTo(3).map((nth) => node.appender.append([message("full", `${unit} ${nth}`)]));
      const error = await rejection(node.appender.append([message("full", `${unit} 4`)]));
      expect(error).toMatchObject({ fault: "full", retryable: true });
      expect(error instanceof Error && error.message).toContain(`${unit} do`);
      expect(error instanceof Error && error.message).toContain(limit);
    }
    expect((await Promise.all(taken)).flat()).toHaveLength(3);
    expect(await node.appender.append([message("full", `${unit} 4`)])).toHaveLength(1);
  },
);

test("a request larger than a batch and than the queue is stored whole", async () => {
  const queue = { rows: 4, bytes: 200, requests: 9 };
  const batcher = { ...DEFAULT_BATCHER_LIMITS, batch: { rows: 2, bytes: 100 }, queue };
  await using node = await openAppender({ batcher });
  const before = await newestId(node.store);
  const ids = await node.appender.append(upTo(10).map((nth) => message("large", `${nth}`)));
  expect(ids).toEqual(upTo(10).map((nth) => before + BigInt(nth)));
  expect(node.told).toHaveLength(1);
});

test("closing the store stores what it has taken and takes no more", async () => {
  const node = await openAppender();
  const taken = upTo(5).map((nth) => node.appender.append([message("closing", `${nth}`)]));
  await node[Symbol.asyncDispose]();
  expect((await Promise.all(taken)).flat()).toHaveLength(5);
  expect(await rejection(node.appender.append([message("closing", "6")]))).toMatchObject({ fault: "unreachable" });
  expect(await rejection(node.store.reader.headIds())).toBeInstanceOf(StoreError);
  await until(async () => {
    const [row] = await admin.unsafe(
      "SELECT count(*)::int4 AS sessions FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tideline %'",
    );
    return row.sessions === 0;
  }, "all sessions are closed");
});

test("a larger number than a double can hold is an id like any other", async () => {
  await admin.unsafe("UPDATE sequences SET last = 9007199254740992 WHERE kind = 1");
  await using node = await openAppender();
  const ids = await node.appender.append([message("big", "1", WELCOME), message("big", "2", WELCOME)]);
  expect(ids).toEqual([9_007_199_254_740_993n, 9_007_199_254_740_994n]);
  const rows = await node.store.reader.above(WELCOME, 9_007_199_254_740_993n, 10, 1_000);
  expect(rows.map(({ id }) => id)).toEqual([9_007_199_254_740_994n]);
});
