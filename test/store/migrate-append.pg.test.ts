import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { bunSqlOptions } from "../../src/store/target";
import { createDatabase, type TestDatabase } from "../support/database";
import { Prng } from "../support/prng";

/** A message by what matters here: the last byte of its topic and the one its digest is full of. */
interface Draft {
  readonly topic: number;
  readonly digest: number;
}

interface Answer {
  readonly id: bigint;
  readonly fresh: boolean;
}

interface Run {
  readonly messages: number;
  readonly first: bigint;
  readonly fresh: boolean;
}

const NO_DRAFT: Draft = { topic: -1, digest: -1 };

let database: TestDatabase;
let sql: SQL;

beforeAll(async () => {
  database = await createDatabase();
  sql = new SQL(bunSqlOptions(database.target, { connections: 4, applicationName: "test" }));
});

beforeEach(async () => {
  await sql`TRUNCATE messages`;
  await sql`UPDATE sequences SET last = 0`;
});

afterAll(async () => {
  await sql.close();
  await database[Symbol.asyncDispose]();
});

async function append(...drafts: readonly Draft[]): Promise<readonly Answer[]> {
  return (await runsOf(...drafts)).flatMap(({ messages, first, fresh }) =>
    Array.from({ length: messages }, (_, nth) => ({ id: first + BigInt(nth), fresh })),
  );
}

async function runsOf(...drafts: readonly Draft[]): Promise<readonly Run[]> {
  const topics = Buffer.from(drafts.flatMap(({ topic }) => [0, topic]));
  const digests = Buffer.concat(drafts.map(({ digest }) => Buffer.alloc(32, digest)));
  const bounds = (bytes: number) => `{${[...Array(drafts.length + 1).keys()].map((nth) => nth * bytes).join()}}`;
  const arms = `{${drafts.map(() => 1).join()}}`;
  const runs = await sql`
    SELECT messages, first, fresh FROM append_in_runs(0::int2, 5, ${arms}::int2[], ${topics}, ${bounds(2)}::int4[], ${digests}, ${topics}, ${bounds(2)}::int4[])`;
  return runs.map(({ messages, first, fresh }: Run) => ({ messages, first, fresh }));
}

async function lastId(): Promise<bigint> {
  return (await sql`SELECT last FROM sequences WHERE kind = 0`)[0].last;
}

async function storedIds(): Promise<readonly bigint[]> {
  return (await sql`SELECT id FROM messages ORDER BY id`).map((row: { id: bigint }) => row.id);
}

const fresh = (id: bigint): Answer => ({ id, fresh: true });
const known = (id: bigint): Answer => ({ id, fresh: false });

describe("append_in_runs", () => {
  test("gives consecutive ids in the order given", async () => {
    expect(await append({ topic: 2, digest: 1 }, { topic: 1, digest: 2 })).toEqual([fresh(1n), fresh(2n)]);
    expect(await append({ topic: 2, digest: 3 })).toEqual([fresh(3n)]);
    expect(await lastId()).toBe(3n);
  });

  test("answers what is new in one row, and what was there or comes twice in as few as there are runs of ids", async () => {
    const drafts = (...digests: readonly number[]) => digests.map((digest) => ({ topic: 1, digest }));
    expect(await runsOf(...drafts(1, 2, 3))).toEqual([{ messages: 3, first: 1n, fresh: true }]);
    expect(await runsOf(...drafts(1, 2, 3))).toEqual([{ messages: 3, first: 1n, fresh: false }]);
    expect(await runsOf(...drafts(4, 1, 2, 5, 5, 3, 6, 7))).toEqual([
      { messages: 1, first: 4n, fresh: true },
      { messages: 2, first: 1n, fresh: false },
      { messages: 1, first: 5n, fresh: true },
      { messages: 1, first: 5n, fresh: false },
      { messages: 1, first: 3n, fresh: false },
      { messages: 2, first: 6n, fresh: true },
    ]);
  });

  test("takes every part out of its blob", async () => {
    await append({ topic: 7, digest: 8 }, { topic: 9, digest: 10 });
    const rows = await sql`SELECT id, created_ns, kind, arm, topic, digest, body FROM messages ORDER BY id`;
    const row = (id: bigint, topic: number, digest: number) => {
      const bytes = Buffer.from([0, topic]);
      return { id, created_ns: 5n, kind: 0, arm: 1, topic: bytes, digest: Buffer.alloc(32, digest), body: bytes };
    };
    expect([...rows]).toEqual([row(1n, 7, 8), row(2n, 9, 10)]);
  });

  test("knows what was stored before, and what stands earlier in the same call, and makes no hole for it", async () => {
    await append({ topic: 1, digest: 1 });
    const answers = await append(
      { topic: 1, digest: 2 },
      { topic: 1, digest: 1 },
      { topic: 1, digest: 2 },
      { topic: 2, digest: 1 },
    );
    expect(answers).toEqual([fresh(2n), known(1n), known(2n), fresh(3n)]);
    expect(await storedIds()).toEqual([1n, 2n, 3n]);
    expect(await lastId()).toBe(3n);
  });

  test("does nothing at all for nothing new", async () => {
    await append({ topic: 1, digest: 1 });
    expect(await append({ topic: 1, digest: 1 }, { topic: 1, digest: 1 })).toEqual([known(1n), known(1n)]);
    expect(await append()).toEqual([]);
    expect(await lastId()).toBe(1n);
  });

  test("stores nothing and gives no id away when one message is refused", async () => {
    const refused = sql`SELECT first FROM append_in_runs(0::int2, 5, '{1,1}', ${Buffer.from([0, 1, 1])}, '{0,2,3}', ${Buffer.alloc(64)}, ''::bytea, '{0,0,0}')`;
    await expect(refused.execute()).rejects.toThrow("messages_topic");
    const short = sql`SELECT first FROM append_in_runs(0::int2, 5, '{1}', ${Buffer.from([0, 1])}, '{0,2}', ${Buffer.alloc(31)}, ''::bytea, '{0,0}')`;
    await expect(short.execute()).rejects.toThrow("do not fit");
    expect(await lastId()).toBe(0n);
    expect(await append({ topic: 1, digest: 1 })).toEqual([fresh(1n)]);
  });

  test("gives ids without holes, and each message one, when many sessions store the same ones at once", async () => {
    const random = new Prng(11);
    const draft = (): Draft => ({ topic: random.int(4), digest: random.int(100) });
    const session = async () => {
      const told: (Answer & Draft)[] = [];
      for (let call = 0; call < 25; call++) {
        const drafts = Array.from({ length: 1 + random.int(12) }, draft);
        const answers = await append(...drafts);
        told.push(...answers.map((answer, nth) => ({ ...answer, ...(drafts[nth] ?? NO_DRAFT) })));
      }
      return told;
    };
    const told = (await Promise.all([session(), session(), session(), session()])).flat();
    const ids = new Map(told.map((one) => [`${one.topic}:${one.digest}`, one.id]));
    expect(told.filter((one) => ids.get(`${one.topic}:${one.digest}`) !== one.id)).toEqual([]);
    expect(told.filter((one) => one.fresh)).toHaveLength(ids.size);
    expect(await storedIds()).toEqual(Array.from({ length: ids.size }, (_, index) => BigInt(index + 1)));
    expect(await lastId()).toBe(BigInt(ids.size));
  });

  test("never reads the whole table, though its plan was made when that was empty", async () => {
    const scans = async () => {
      await sql`SELECT pg_stat_force_next_flush()`;
      return (await sql`SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'messages'`)[0];
    };
    const before = await scans();
    for (let digest = 0; digest < 50; digest++) {
      await append({ topic: 1, digest }, { topic: 2, digest });
      // Only now there is something to look for.
      await append({ topic: 2, digest }, { topic: 1, digest });
    }
    const after = await scans();
    expect(after.seq_scan).toBe(before.seq_scan);
    expect(after.idx_scan - before.idx_scan).toBeGreaterThan(0n);
  });
});
