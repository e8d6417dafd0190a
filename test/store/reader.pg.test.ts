import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { MAX_CURSOR } from "../../src/core/limits";
import { GROUP, KINDS, type Topic, WELCOME } from "../../src/core/topic";
import type { Store } from "../../src/store/store";
import type { Direction, NewMessage, PageSize, StoredMessage } from "../../src/store/types";
import { createDatabase, type TestDatabase } from "../support/database";
import { Prng } from "../support/prng";
import { connectSql } from "../support/sql-connection";
import { message, openTestStore, textOf, topic, upTo } from "./store-fixtures";

/** Beyond what a double can tell apart. */
const FAR = 9_007_199_254_740_993n;

/** A database with its store, and the messages that were appended in it, in order of id. */
interface World extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly store: Store;
  readonly rows: readonly StoredMessage[];
}

async function createWorld(messages: readonly NewMessage[], first = 1n): Promise<World> {
  const database = await createDatabase();
  const admin = connectSql(database.target);
  await admin.unsafe("UPDATE sequences SET last = $1::int8", [first - 1n]);
  await admin.close();
  const store = await openTestStore(database.target);
  const rows: StoredMessage[] = [];
  const appender = store.appender({ onCommitted: (batch) => void rows.push(...batch.messages) });
  await Promise.all(KINDS.map((kind) => appender.append(messages.filter((one) => one.kind === kind))));
  return {
    database,
    store,
    rows,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

const idsOf = (rows: readonly (StoredMessage | undefined)[]) => rows.map((row) => row?.id);

/** A page of so many rows, whatever their size. */
const rowsOnly = (rows: number): PageSize => ({ rows, bytes: 1 << 30 });

describe("an empty store", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld([]);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("answers every question with nothing", async () => {
    const { reader } = world.store;
    const topics = [topic("a"), topic("b")];
    expect(await reader.headIds()).toEqual([0n, 0n]);
    expect(await reader.above(GROUP, 0n, 10, 1_000)).toEqual([]);
    expect(await reader.heads(topics)).toEqual([0n, 0n]);
    expect(await reader.ids(GROUP, topics, [0n, 0n], 0n, 2n)).toEqual(new BigInt64Array(0));
    expect(await reader.ids(GROUP, topics, [0n, 0n], 0n, MAX_CURSOR)).toEqual(new BigInt64Array(0));
    expect(await reader.byIds(GROUP, BigInt64Array.of(1n, 2n), 1_000)).toEqual([]);
    const nothing = { messages: [], isCut: false };
    for (const direction of ["ascending", "descending"] as const) {
      expect(await reader.ofTopic(topic("a"), direction, undefined, rowsOnly(10))).toEqual(nothing);
    }
  });

  test("has no answer to no question", async () => {
    const { reader } = world.store;
    expect(await reader.heads([])).toEqual([]);
    expect(await reader.ids(GROUP, [], [], 0n, 100n)).toEqual(new BigInt64Array(0));
    expect(await reader.byIds(GROUP, new BigInt64Array(0), 1_000)).toEqual([]);
  });
});

/** Ids begin above 2^53: every test below proves at the same time that none is rounded. */
describe("a store with ids above 2^53", () => {
  const texts = ["one", "two", "three", "four", "five", "six"];
  let world: World;
  beforeAll(async () => {
    const groups = texts.map((text, nth) => message(nth % 2 === 0 ? "even" : "odd", text));
    world = await createWorld([...groups, message("even", "welcome", WELCOME)], FAR);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  const id = (nth: number) => FAR + BigInt(nth);

  test("tells the newest id of each kind", async () => {
    expect(await world.store.reader.headIds()).toEqual([id(5), id(0)]);
  });

  test("pages above an id by rows and by bytes, with at least one row", async () => {
    const { reader } = world.store;
    expect((await reader.above(GROUP, 0n, 100, 1_000)).map(({ body }) => textOf(body))).toEqual(texts);
    expect(idsOf(await reader.above(GROUP, id(1), 2, 1_000))).toEqual([id(2), id(3)]);
    // "one" and "two" have six bytes: the page ends with the row that reaches the limit.
    expect(idsOf(await reader.above(GROUP, 0n, 100, 6))).toEqual([id(0), id(1)]);
    expect(idsOf(await reader.above(GROUP, 0n, 100, 7))).toEqual([id(0), id(1), id(2)]);
    expect(idsOf(await reader.above(GROUP, 0n, 100, 1))).toEqual([id(0)]);
    expect(await reader.above(GROUP, id(5), 100, 1_000)).toEqual([]);
    expect(idsOf(await reader.above(WELCOME, 0n, 100, 1_000))).toEqual([id(0)]);
  });

  test("gives the newest id of each topic, in the order asked for", async () => {
    const { reader } = world.store;
    const asked = [topic("odd"), topic("none"), topic("even", WELCOME), topic("even"), topic("odd")];
    expect(await reader.heads(asked)).toEqual([id(5), 0n, id(0), id(4), id(5)]);
  });

  test("finds the topics of a range with the ids of each there, ascending by the newest", async () => {
    const { reader } = world.store;
    const found = async (above: bigint, to: bigint) => {
      return (await reader.topicsIn(GROUP, above, to)).map(({ topic, ids }) => [topic, [...ids]]);
    };
    expect(await found(0n, MAX_CURSOR)).toEqual([
      [topic("even"), [id(0), id(2), id(4)]],
      [topic("odd"), [id(1), id(3), id(5)]],
    ]);
    expect(await found(id(2), id(3))).toEqual([[topic("odd"), [id(3)]]]);
    expect(await found(id(5), MAX_CURSOR)).toEqual([]);
  });

  test("finds the first id of topics above their floors", async () => {
    const { reader } = world.store;
    const both = [topic("odd"), topic("even")];
    expect(await reader.first(both, [0n, 0n])).toBe(id(0));
    expect(await reader.first(both, [id(1), id(3)])).toBe(id(3));
    expect(await reader.first(both, [id(5), MAX_CURSOR + 1n])).toBeUndefined();
    expect(await reader.first([topic("none")], [0n])).toBeUndefined();
    expect(await reader.first([], [])).toBeUndefined();
  });

  test("finds the ids of topics above their floors and within a range, merged ascending", async () => {
    const { reader } = world.store;
    const both = [topic("odd"), topic("even")];
    const ids = async (...range: [readonly bigint[], bigint, bigint]) => [...(await reader.ids(GROUP, both, ...range))];
    expect(await ids([0n, 0n], 0n, id(5))).toEqual([0, 1, 2, 3, 4, 5].map(id));
    expect(await ids([id(1), id(3)], 0n, MAX_CURSOR)).toEqual([3, 4, 5].map(id));
    expect(await ids([0n, 0n], id(1), id(4))).toEqual([2, 3, 4].map(id));
    expect(await ids([id(5), id(2)], 0n, id(5))).toEqual([id(4)]);
    expect(await ids([id(5), id(5)], 0n, id(5))).toEqual([]);
    expect(await ids([0n, 0n], id(5), id(5))).toEqual([]);
  });

  test("gives messages by their ids, ascending, as many as fit, without those that are not there", async () => {
    const { reader } = world.store;
    const asked = BigInt64Array.of(id(4), id(9), id(1), 1n);
    expect(idsOf(await reader.byIds(GROUP, asked, 1_000))).toEqual([id(1), id(4)]);
    expect(idsOf(await reader.byIds(GROUP, asked, 3))).toEqual([id(1)]);
    expect(idsOf(await reader.byIds(GROUP, asked, 4))).toEqual([id(1), id(4)]);
    expect(await reader.byIds(WELCOME, asked, 1_000)).toEqual([]);
  });

  test("pages a topic in both directions beyond an exclusive cursor", async () => {
    const { reader } = world.store;
    const ids = async (direction: Direction, cursor: bigint | undefined, rows: number) =>
      idsOf((await reader.ofTopic(topic("odd"), direction, cursor, rowsOnly(rows))).messages);
    expect(await ids("ascending", undefined, 2)).toEqual([id(1), id(3)]);
    expect(await ids("ascending", id(1), 9)).toEqual([id(3), id(5)]);
    expect(await ids("ascending", id(5), 9)).toEqual([]);
    expect(await ids("descending", undefined, 2)).toEqual([id(5), id(3)]);
    expect(await ids("descending", id(3), 9)).toEqual([id(1)]);
    expect(await ids("descending", 0n, 9)).toEqual([]);
    expect(await ids("ascending", (1n << 64n) - 1n, 9)).toEqual([]);
    expect(await ids("descending", (1n << 64n) - 1n, 1)).toEqual([id(5)]);
  });

  test("pages a topic by bytes: what fits whole, or one message, and says whether it left any out", async () => {
    const { reader } = world.store;
    const page = async (direction: Direction, cursor: bigint | undefined, size: PageSize) => {
      const { messages, isCut } = await reader.ofTopic(topic("odd"), direction, cursor, size);
      return [messages.map(({ body }) => textOf(body)).join(" "), isCut];
    };
    expect(await page("ascending", undefined, { rows: 9, bytes: 10 })).toEqual(["two four six", false]);
    expect(await page("ascending", undefined, { rows: 9, bytes: 9 })).toEqual(["two four", true]);
    expect(await page("ascending", undefined, { rows: 2, bytes: 9 })).toEqual(["two four", false]);
    expect(await page("ascending", id(1), { rows: 9, bytes: 1 })).toEqual(["four", true]);
    expect(await page("descending", undefined, { rows: 9, bytes: 7 })).toEqual(["six four", true]);
    expect(await page("descending", id(3), { rows: 9, bytes: 1 })).toEqual(["two", false]);
  });

  test("hands out bodies that nobody else writes to", async () => {
    const { reader } = world.store;
    const rows = await reader.above(GROUP, 0n, 100, 1_000);
    for (const { body } of rows) expect(body.buffer.byteLength).toBe(body.byteLength);
    for (const _ of upTo(20)) await reader.above(GROUP, id(2), 100, 1_000);
    expect(rows.map(({ body }) => textOf(body))).toEqual(texts);
  });
});

test("the largest id there can be is found by every question", async () => {
  await using world = await createWorld([message("last", "last")], MAX_CURSOR);
  const { reader } = world.store;
  const last = topic("last");
  expect((await reader.headIds())[GROUP]).toBe(MAX_CURSOR);
  expect(await reader.heads([last])).toEqual([MAX_CURSOR]);
  expect([...(await reader.ids(GROUP, [last], [0n], 0n, MAX_CURSOR))]).toEqual([MAX_CURSOR]);
  expect([...(await reader.ids(GROUP, [last], [MAX_CURSOR - 1n], 0n, MAX_CURSOR))]).toEqual([MAX_CURSOR]);
  expect(idsOf(await reader.above(GROUP, MAX_CURSOR - 1n, 1, 1))).toEqual([MAX_CURSOR]);
  expect(idsOf(await reader.byIds(GROUP, BigInt64Array.of(MAX_CURSOR), 1))).toEqual([MAX_CURSOR]);
  expect(idsOf((await reader.ofTopic(last, "descending", undefined, rowsOnly(1))).messages)).toEqual([MAX_CURSOR]);
});

test("a page of a topic is cut at the bytes although its messages are too large to be read at first", async () => {
  const large = (text: string) => ({
    ...message("large", text),
    body: new Uint8Array(100_000).fill(text.charCodeAt(0)),
  });
  await using world = await createWorld([large("a"), message("large", "b"), large("c"), large("d")]);
  const { reader } = world.store;
  const page = async (direction: Direction, cursor: bigint | undefined, bytes: number) => {
    const { messages, isCut } = await reader.ofTopic(topic("large"), direction, cursor, { rows: 100, bytes });
    return [messages.map(({ body }) => String.fromCharCode(body[0] ?? 0)).join(""), isCut];
  };
  expect(await page("ascending", undefined, 300_001)).toEqual(["abcd", false]);
  expect(await page("ascending", undefined, 300_000)).toEqual(["abc", true]);
  expect(await page("ascending", undefined, 200_000)).toEqual(["ab", true]);
  expect(await page("ascending", undefined, 1)).toEqual(["a", true]);
  expect(await page("descending", undefined, 200_000)).toEqual(["dc", true]);
  expect(await page("descending", 2n, 1)).toEqual(["a", false]);
});

test("25 000 topics are answered like one, over wide ranges and narrow ones", async () => {
  const names = upTo(25_000).map((nth) => topic(`many ${nth}`));
  const some = upTo(3_000).map((nth) => message(`many ${((nth * 7_919) % 25_000) + 1}`, `${nth}`));
  await using world = await createWorld(some);
  const { reader } = world.store;
  const newest = new Map(world.rows.map(({ topic, id }) => [topic, id]));
  expect(await reader.heads(names)).toEqual(names.map((name) => newest.get(name) ?? 0n));
  const floors = names.map((_, nth) => BigInt(nth % 1_000));
  const floorOf = new Map(names.map((name, nth) => [name, floors[nth] ?? 0n]));
  const expected = world.rows.flatMap(({ id, topic }) => (id > (floorOf.get(topic) ?? 0n) ? [id] : []));
  // A narrow range is scanned as a whole, a wide one by looking up every topic: the answer is the same.
  expect([...(await reader.ids(GROUP, names, floors, 0n, 3_000n))]).toEqual(expected);
  expect([...(await reader.ids(GROUP, names, floors, 0n, MAX_CURSOR))]).toEqual(expected);
});

test("random questions are answered as a plain list of the rows would answer them", async () => {
  const { FUZZ_SEED = `${Date.now() % 1_000_000}` } = process.env;
  const seed = Number(FUZZ_SEED);
  const random = new Prng(seed);
  const names = upTo(12).map((nth) => topic(`fuzz ${nth}`));
  const all = upTo(300).map((nth) => message(`fuzz ${random.between(1, 9)}`, `${"x".repeat(random.int(20))}${nth}`));
  await using world = await createWorld(all, 500n);
  const { rows, store } = world;
  const { reader } = store;
  const anyId = () => BigInt(random.between(480, 820));
  const pickTopics = (): readonly Topic[] => names.filter(() => random.chance(0.5));
  for (let round = 0; round < 150; round++) {
    const place = `seed ${seed}, round ${round}`;
    const [from, to, limit, asked] = [anyId(), anyId(), random.between(1, 30), pickTopics()];
    const floors = asked.map(anyId);
    const wanted = rows.filter(({ id, topic }) => {
      const floor = floors[asked.indexOf(topic)];
      return floor !== undefined && id > floor && id > from && id <= to;
    });
    expect([...(await reader.ids(GROUP, asked, floors, from, to))], place).toEqual(wanted.map(({ id }) => id));
    const one = random.pick(names);
    const ofOne = rows.filter(({ topic }) => topic === one);
    const after = ofOne.filter(({ id }) => id > from).slice(0, limit);
    const ids = async (direction: Direction) =>
      idsOf((await reader.ofTopic(one, direction, from, rowsOnly(limit))).messages);
    expect(await ids("ascending"), place).toEqual(idsOf(after));
    const before = ofOne.filter(({ id }) => id < from).reverse();
    expect(await ids("descending"), place).toEqual(idsOf(before.slice(0, limit)));
    const heads = asked.map((name) => rows.findLast(({ topic }) => topic === name)?.id ?? 0n);
    expect(await reader.heads(asked), place).toEqual(heads);
    const maxBytes = random.between(1, 200);
    const page = rows.filter(({ id }) => id > from).slice(0, limit);
    const bytesBefore = (nth: number) => page.slice(0, nth).reduce((sum, { body }) => sum + body.byteLength, 0);
    const fitting = page.filter((_, nth) => bytesBefore(nth) < maxBytes);
    expect(idsOf(await reader.above(GROUP, from, limit, maxBytes)), place).toEqual(idsOf(fitting));
  }
});
