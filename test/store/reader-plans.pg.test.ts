import { afterAll, beforeAll, expect, test } from "bun:test";
import { SQL } from "bun";
import { fillPlaceholders } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sql";
import { type IdentityReads, prepareIdentityReads } from "../../src/store/identity-statements";
import { prepareReads, type ReadStatements } from "../../src/store/reader-statements";
import type { SqlSession } from "../../src/store/schema";
import { sessionSettings } from "../../src/store/store";
import { bunSqlOptions } from "../../src/store/target";
import { createDatabase, type TestDatabase } from "../support/database";

let database: TestDatabase;
let session: SQL;

beforeAll(async () => {
  database = await createDatabase();
  const pool = { connections: 1, applicationName: "test", settings: sessionSettings(10_000) };
  session = new SQL(bunSqlOptions(database.target, pool));
});

afterAll(async () => {
  await session.close({ timeout: 0 });
  await database[Symbol.asyncDispose]();
});

type Reads = ReadStatements & IdentityReads;

/** How each statement is asked by the reader, and with which values, in the order of `$1`, `$2` …, by this test. */
interface Case {
  readonly ask: (read: Reads) => Promise<unknown>;
  readonly values: string;
}

const TOPICS = `ARRAY['\\x0031', '\\x0032']::bytea[]`;
const topic = Uint8Array.of(0, 0x31);
const CASES: Readonly<Record<Exclude<keyof Reads, "sequences" | "standby">, Case>> = {
  heads: { ask: (read) => read.heads.execute({ topics: "{}" }), values: TOPICS },
  firstOf: {
    ask: (read) => read.firstOf.execute({ topics: "{}", floors: "{}" }),
    values: `${TOPICS}, ARRAY[0, 5]::int8[]`,
  },
  idsByTopic: {
    ask: (read) => read.idsByTopic.execute({ topics: "{}", floors: "{}", to: 9n }),
    values: `${TOPICS}, ARRAY[0, 5]::int8[], 19000`,
  },
  topicsIn: { ask: (read) => read.topicsIn({ kind: 0, above: 0n, to: 9n }), values: "0, 5000, 5100" },
  idsByRange: { ask: (read) => read.idsByRange({ kind: 0, above: 0n, to: 9n }), values: "0, 5000, 5100" },
  above: {
    ask: (read) => read.above({ kind: 0, above: 0n, maxRows: 9n, maxBytes: 9n }),
    values: "0, 19000, 1000, 100000",
  },
  byIds: {
    ask: (read) => read.byIds({ kind: 0, ids: "{1}", maxBytes: 9n }),
    values: "0, ARRAY[5, 7, 19000]::int8[], 100000",
  },
  aboveLight: {
    ask: (read) => read.aboveLight({ kind: 0, above: 0n, maxRows: 9n, lightBytes: 9n }),
    values: "100, 0, 19000, 1000",
  },
  byIdsLight: {
    ask: (read) => read.byIdsLight({ kind: 0, ids: "{1}", lightBytes: 9n }),
    values: "100, 0, ARRAY[5, 7, 19000]::int8[]",
  },
  ascending: {
    ask: (read) => read.ascending({ topic, above: 0n, maxRows: 9n, maxBytes: 9n }),
    values: `'\\x0031', 0, 10, 1000`,
  },
  descending: {
    ask: (read) => read.descending({ topic, to: 9n, maxRows: 9n, maxBytes: 9n }),
    values: `'\\x0031', 20000, 10, 1000`,
  },
  ascendingLight: {
    ask: (read) => read.ascendingLight({ topic, above: 0n, maxRows: 9n, lightBytes: 9n }),
    values: `100, '\\x0031', 0, 10`,
  },
  descendingLight: {
    ask: (read) => read.descendingLight({ topic, to: 9n, maxRows: 9n, lightBytes: 9n }),
    values: `100, '\\x0031', 20000, 10`,
  },
  inbox: { ask: (read) => read.inbox({ inboxId: "a" }), values: "repeat('a', 64)" },
  updates: {
    ask: (read) => read.updates({ inboxIds: "{a}", above: "{0}", maxBytes: 9n }),
    values: "ARRAY[repeat('a', 64), '7']::text[], ARRAY[0, 5]::int8[], 100000",
  },
  inboxIds: {
    ask: (read) => read.inboxIds({ kinds: "{1}", identifiers: "{a}" }),
    values: "ARRAY[1, 2]::int2[], ARRAY['7', 'b']::text[]",
  },
  keyPackages: { ask: (read) => read.keyPackages({ keys: "{}" }), values: TOPICS },
  commitLogUp: {
    ask: (read) => read.commitLogUp({ groupId: topic, above: 0n, limit: 9 }),
    values: "'\\x31', 0, 10",
  },
  commitLogDown: {
    ask: (read) => read.commitLogDown({ groupId: topic, to: 9n, limit: 9 }),
    values: "'\\x31', 20000, 10",
  },
};

/** The text that the reader sends for a question. */
async function textOf(ask: Case["ask"]): Promise<string> {
  let sent = "";
  const logQuery = (text: string) => {
    sent = text;
  };
  const asked: SqlSession = {
    database: drizzle({ client: session, logger: { logQuery } }),
    run: (statement, values) => {
      logQuery(statement.sql);
      return session.unsafe(statement.sql, fillPlaceholders(statement.params, values)).values();
    },
  };
  await ask({ ...prepareReads(asked), ...prepareIdentityReads(asked) });
  return sent;
}

async function explain(statement: string): Promise<string> {
  const rows: readonly (readonly string[])[] = await session.unsafe(`EXPLAIN ${statement}`).values();
  return rows.map(([line]) => line).join("\n");
}

test("plans made while the table was empty are right for a full one too, and ids come from the index alone", async () => {
  await session.unsafe("SET plan_cache_mode = force_generic_plan");
  for (const [name, { ask, values }] of Object.entries(CASES)) {
    await session.unsafe(`PREPARE ${name} AS ${await textOf(ask)}`);
    await session.unsafe(`EXECUTE ${name} (${values})`);
  }
  await session.unsafe(`INSERT INTO messages (id, created_ns, kind, arm, topic, digest, body)
    SELECT id, 0, 0, 1, '\\x00'::bytea || convert_to((id % 500)::text, 'UTF8'), sha256(int8send(id)), '\\x0102'
    FROM generate_series(1, 20000) AS id`);
  await fillIdentities();
  for (const [name, { values }] of Object.entries(CASES)) {
    const plan = await explain(`EXECUTE ${name} (${values})`);
    expect(plan, name).not.toContain("Seq Scan");
    expect(plan, name).toContain("Index");
  }
  await session.unsafe("VACUUM ANALYZE messages");
  for (const name of ["idsByTopic", "firstOf", "heads"] as const) {
    const plan = await explain(`EXECUTE ${name} (${CASES[name].values})`);
    expect(plan, name).toMatch(/Index Only Scan (Backward )?using messages_topic_id/);
    expect(plan, name).toContain("topic = asked.wanted");
  }
  for (const name of ["idsByRange", "above", "byIds", "aboveLight", "byIdsLight"] as const) {
    const plan = await explain(`EXECUTE ${name} (${CASES[name].values})`);
    expect(plan, name).toContain("messages_pkey");
  }
  for (const name of ["ascending", "descending", "ascendingLight", "descendingLight"] as const) {
    const plan = await explain(`EXECUTE ${name} (${CASES[name].values})`);
    expect(plan, name).toContain("messages_topic_id");
    expect(plan, name).not.toContain("Sort");
  }
  for (const [name, index] of [
    ["inbox", "inboxes_pkey"],
    ["updates", "identity_updates_pkey"],
    ["inboxIds", "identifiers_newest"],
    ["keyPackages", "key_packages_pkey"],
    ["commitLogUp", "commit_log_pkey"],
    ["commitLogDown", "commit_log_pkey"],
  ] as const) {
    const plan = await explain(`EXECUTE ${name} (${CASES[name].values})`);
    expect(plan, name).toContain(index);
    expect(plan, name).toMatch(/Index Cond: .*(inbox_id|kind|installation_key|group_id) = /);
    if (name !== "updates") expect(plan, name).not.toContain("Sort");
  }
});

async function fillIdentities(): Promise<void> {
  const ids = "FROM generate_series(1, 5000) AS id";
  await session.unsafe(`INSERT INTO identity_updates SELECT id, id % 500, 0, '\\x01' ${ids}`);
  await session.unsafe(`INSERT INTO inboxes SELECT encode(sha256(int8send(id)), 'hex'), id, 1, '\\x01' ${ids}`);
  await session.unsafe(`INSERT INTO identifiers SELECT 1, id % 50, id, id ${ids}`);
  await session.unsafe(`INSERT INTO key_packages SELECT int8send(id), 0, '\\x01' ${ids}`);
  await session.unsafe(`INSERT INTO commit_log SELECT id, convert_to((id % 50)::text, 'UTF8'), 0, '\\x01' ${ids}`);
  for (const table of ["identity_updates", "inboxes", "identifiers", "key_packages", "commit_log"]) {
    await session.unsafe(`VACUUM ANALYZE ${table}`);
  }
}
