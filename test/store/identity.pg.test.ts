import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { StoreError } from "../../src/store/error";
import type { Identifier, NewIdentityUpdate } from "../../src/store/identity-types";
import type { Store } from "../../src/store/store";
import { createDatabase, type TestDatabase } from "../support/database";
import { connectSql } from "../support/sql-connection";
import { startProxy } from "./retry-proxy";
import { ascending, openTestStore, rejection, textOf, upTo } from "./store-fixtures";

/** More than there is. */
const MAX_BYTES = 1 << 20;

let database: TestDatabase;
let store: Store;
let other: Store;

beforeAll(async () => {
  database = await createDatabase();
  store = await openTestStore(database.target);
  other = await openTestStore(database.target);
});

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** The id of the inbox with a name. */
function inbox(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

function update(name: string, judgedBy: bigint, text: string, changes: Partial<NewIdentityUpdate> = {}) {
  const body = Buffer.from(text);
  return { inboxId: inbox(name), judgedBy, body, state: body, added: [], removed: [], ...changes };
}

function address(n: number): Identifier {
  return { kind: 1, text: `0x${n.toString(16).padStart(40, "0")}` };
}

async function textsOf(name: string, above = 0n, from = store): Promise<readonly string[]> {
  const [found] = await from.identities.updates([{ inboxId: inbox(name), above }], MAX_BYTES);
  return (found ?? []).map(({ body }) => textOf(body));
}

/** Judges by what is there and appends, again and again until nothing came in between, as the service does. */
async function publish(at: Store, name: string, text: string): Promise<bigint> {
  for (;;) {
    const found = await at.identities.inbox(inbox(name));
    const state = Buffer.from(`${found === undefined ? "" : textOf(found.state)}${text};`);
    const id = await at.identities.append(update(name, found?.version ?? 0n, text, { state }));
    if (id !== undefined) return id;
  }
}

describe("the identity log", () => {
  test("keeps an update, and whoever asks at any store reads it, with the time at which it was stored", async () => {
    expect(await store.identities.inbox(inbox("one"))).toBeUndefined();
    const before = BigInt(Date.now()) * 1_000_000n;
    const id = await store.identities.append(update("one", 0n, "first"));
    expect(await other.identities.inbox(inbox("one"))).toEqual({
      version: id ?? 0n,
      state: Buffer.from("first"),
    });
    const [found] = await other.identities.updates([{ inboxId: inbox("one"), above: 0n }], MAX_BYTES);
    expect(found).toEqual([{ id: id ?? 0n, createdNs: expect.any(BigInt), body: Buffer.from("first") }]);
    expect(found?.[0]?.createdNs).toBeGreaterThanOrEqual(before);
  });

  test("refuses what was judged by an older version, and gives its number to the next", async () => {
    const first = (await store.identities.append(update("stale", 0n, "first"))) ?? 0n;
    expect(await other.identities.append(update("stale", 0n, "another first"))).toBeUndefined();
    const second = (await other.identities.append(update("stale", first, "second"))) ?? 0n;
    expect(await store.identities.append(update("stale", first, "another second"))).toBeUndefined();
    expect(second).toBe(first + 1n);
    expect(await store.identities.append(update("stale", second, "third"))).toBe(second + 1n);
    expect(await textsOf("stale")).toEqual(["first", "second", "third"]);
    expect(await textsOf("stale", first)).toEqual(["second", "third"]);
    expect(await store.identities.inbox(inbox("stale"))).toMatchObject({ version: second + 1n });
  });

  test("brings concurrent updates of one inbox from two stores into one order and loses none", async () => {
    const texts = upTo(40).map((n) => `u${n}`);
    const ids = await Promise.all(texts.map((text, nth) => publish(nth % 2 === 0 ? store : other, "busy", text)));
    const stored = await textsOf("busy");
    expect([...stored].sort()).toEqual([...texts].sort());
    const inOrder = texts.map((text, nth) => ({ text, id: ids[nth] ?? 0n })).sort((a, b) => ascending(a.id, b.id));
    expect(inOrder.map(({ text }) => text)).toEqual([...stored]);
    const found = await store.identities.inbox(inbox("busy"));
    // Each was judged by all that came before it.
    expect(found && textOf(found.state)).toBe(stored.map((text) => `${text};`).join(""));
  });

  test("gives ids without holes over all inboxes, visible in their order to whoever reads meanwhile", async () => {
    await using admin = connectSql(database.target);
    const names = upTo(12).map((n) => `many ${n}`);
    let [head, publishing] = [0n, true];
    const watch = async () => {
      while (publishing) {
        const [row] = await admin`SELECT max(id) AS head, count(*) AS count FROM identity_updates`;
        expect(BigInt(row.head)).toBe(BigInt(row.count));
        expect(BigInt(row.head)).toBeGreaterThanOrEqual(head);
        head = BigInt(row.head);
      }
    };
    const publishAll = async () => {
      const work = names.map(async (name, nth) => {
        for (const n of upTo(10)) await publish(nth % 2 === 0 ? store : other, name, `${n}`);
      });
      await Promise.all(work);
      publishing = false;
    };
    await Promise.all([watch(), publishAll()]);
    for (const name of names) expect(await textsOf(name)).toEqual(upTo(10).map(String));
  });

  test("answers for each inbox in the order asked, twice if asked twice, and with nothing for unknown ones", async () => {
    const first = (await store.identities.append(update("order a", 0n, "a1"))) ?? 0n;
    await store.identities.append(update("order b", 0n, "b1"));
    await store.identities.append(update("order a", first, "a2"));
    const asked = [
      { inboxId: inbox("order b"), above: 0n },
      { inboxId: inbox("nobody"), above: 0n },
      { inboxId: 'not "an" inbox\\', above: 0n },
      { inboxId: inbox("order a"), above: first },
      { inboxId: inbox("order a"), above: 0n },
      { inboxId: inbox("order a"), above: 2n ** 64n - 1n },
    ];
    const found = await other.identities.updates(asked, MAX_BYTES);
    expect(found.map((some) => some.map(({ body }) => textOf(body)))).toEqual([
      ["b1"],
      [],
      [],
      ["a2"],
      ["a1", "a2"],
      [],
    ]);
    expect(await store.identities.updates([], MAX_BYTES)).toEqual([]);
  });

  test("leaves out what comes after the update that goes beyond the bytes asked for", async () => {
    let version = 0n;
    for (const text of ["1234", "5678", "90"]) {
      version = (await store.identities.append(update("bytes", version, text))) ?? 0n;
    }
    const asked = ["bytes", "bytes"].map((name) => ({ inboxId: inbox(name), above: 0n }));
    const upTo = async (maxBytes: number) => {
      const found = await store.identities.updates(asked, maxBytes);
      return found.map((some) => some.map(({ body }) => textOf(body)));
    };
    expect(await upTo(0)).toEqual([["1234"], []]);
    expect(await upTo(4)).toEqual([["1234", "5678"], []]);
    expect(await upTo(10)).toEqual([["1234", "5678", "90"], ["1234"]]);
    expect(await upTo(20)).toEqual([
      ["1234", "5678", "90"],
      ["1234", "5678", "90"],
    ]);
  });

  test("answers more inboxes than one statement takes", async () => {
    const asked = upTo(2_500).map((n) => ({ inboxId: n === 2_400 ? inbox("order b") : inbox(`no ${n}`), above: 0n }));
    const found = await store.identities.updates(asked, MAX_BYTES);
    expect(found).toHaveLength(2_500);
    expect(found.flatMap((some, nth) => (some.length > 0 ? [nth] : []))).toEqual([2_399]);
  });

  test("takes no update of what is no inbox id", async () => {
    const error = await rejection(store.identities.append({ ...update("x", 0n, "x"), inboxId: "Ab" }));
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ fault: "refused" });
  });
});

describe("the inbox of an identifier", () => {
  test("is the one that it joined last of those it still belongs to", async () => {
    const [own, shared, passkey] = [address(1), address(2), { kind: 2, text: "02ab" }];
    const idsOf = (...asked: readonly Identifier[]) => other.identities.inboxIds(asked);
    const a = (await store.identities.append(update("ids a", 0n, "a", { added: [own, shared, passkey] }))) ?? 0n;
    expect(await idsOf(shared, address(9), own, passkey, { kind: 1, text: "02ab" }, shared)).toEqual([
      ...[inbox("ids a"), undefined, inbox("ids a"), inbox("ids a"), undefined, inbox("ids a")],
    ]);
    const b = (await store.identities.append(update("ids b", 0n, "b", { added: [shared] }))) ?? 0n;
    expect(await idsOf(shared, own)).toEqual([inbox("ids b"), inbox("ids a")]);
    await store.identities.append(update("ids b", b, "b2", { removed: [shared] }));
    expect(await idsOf(shared)).toEqual([inbox("ids a")]);
    const a2 = (await store.identities.append(update("ids a", a, "a2", { removed: [shared, own] }))) ?? 0n;
    expect(await idsOf(shared, own, passkey)).toEqual([undefined, undefined, inbox("ids a")]);
    await store.identities.append(update("ids a", a2, "a3", { added: [own] }));
    expect(await idsOf(own)).toEqual([inbox("ids a")]);
  });

  test("does not change by an update that came too late", async () => {
    await store.identities.append(update("late", 0n, "first", { added: [address(20)] }));
    const late = update("late", 0n, "late", { added: [address(21)], removed: [address(20)] });
    expect(await store.identities.append(late)).toBeUndefined();
    expect(await store.identities.inboxIds([address(20), address(21)])).toEqual([inbox("late"), undefined]);
  });
});

describe("key packages", () => {
  const key = (n: number) => new Uint8Array(32).fill(n);

  test("are answered in the order asked: the newest of each installation, nothing where there is none", async () => {
    await store.keyPackages.put(key(1), Buffer.from("old"));
    await store.keyPackages.put(key(2), Buffer.from("two"));
    await other.keyPackages.put(key(1), Buffer.from("new"));
    const found = await store.keyPackages.newest([key(2), key(3), key(1), key(2)]);
    expect(found.map((body) => body && textOf(body))).toEqual(["two", undefined, "new", "two"]);
    expect(await store.keyPackages.newest([])).toEqual([]);
  });
});

describe("the commit log of a group", () => {
  const entry = (group: string, text: string) => ({ groupId: Buffer.from(group), body: Buffer.from(text) });
  const page = async (group: string, ...[direction, cursor, limit]: ["ascending" | "descending", bigint?, number?]) => {
    const rows = await other.commitLogs.ofGroup(Buffer.from(group), direction, cursor, limit ?? 100);
    return rows.map(({ body }) => textOf(body));
  };

  test("is read in either direction from an exclusive cursor, page by page", async () => {
    await store.commitLogs.append([entry("log", "1"), entry("else", "x"), entry("log", "2")]);
    await other.commitLogs.append([entry("log", "3"), entry("log", "3")]);
    expect(await page("log", "ascending")).toEqual(["1", "2", "3", "3"]);
    expect(await page("log", "descending", undefined, 3)).toEqual(["3", "3", "2"]);
    const [first, second] = await store.commitLogs.ofGroup(Buffer.from("log"), "ascending", undefined, 2);
    expect(await page("log", "ascending", second?.id)).toEqual(["3", "3"]);
    expect(await page("log", "descending", second?.id)).toEqual(["1"]);
    expect(await page("log", "descending", first?.id)).toEqual([]);
    expect(await page("log", "ascending", 2n ** 64n - 1n)).toEqual([]);
    expect(await page("nobody", "ascending")).toEqual([]);
    await store.commitLogs.append([]);
  });

  test("has ids that ascend in commit order over all groups, without holes", async () => {
    const append = (n: number) => (n % 2 === 0 ? store : other).commitLogs.append([entry(`many ${n % 3}`, `${n}`)]);
    await Promise.all(upTo(60).map(append));
    await using admin = connectSql(database.target);
    const [row] = await admin`SELECT max(id) AS head, count(*) AS count FROM commit_log`;
    expect(row.head).toBe(row.count);
  });
});

describe("an answer that was lost", () => {
  test("costs nothing: what was stored is not stored again, and has the id it got", async () => {
    const proxy = await startProxy(database.target);
    await using behind = await openTestStore(proxy.target);
    const first = (await behind.identities.append(update("lost", 0n, "lost first"))) ?? 0n;
    proxy.fault = { kind: "loseAnswer", match: "lost second", times: 1 };
    expect(await behind.identities.append(update("lost", first, "lost second"))).toBe(first + 1n);
    const entries = [1, 2].map((n) => ({ groupId: Buffer.from("lost"), body: Buffer.from(`lost entry ${n}`) }));
    await behind.commitLogs.append(entries);
    proxy.fault = { kind: "loseAnswer", match: Buffer.from("lost entry 1").toString("hex"), times: 2 };
    await behind.commitLogs.append(entries);
    expect(proxy.struck).toBe(2);
    expect(await textsOf("lost")).toEqual(["lost first", "lost second"]);
    const stored = await store.commitLogs.ofGroup(Buffer.from("lost"), "ascending", undefined, 100);
    expect(stored).toHaveLength(4);
    await proxy[Symbol.asyncDispose]();
  });
});
