import { afterAll, beforeAll, expect, test } from "bun:test";
import { SQL } from "bun";
import { drizzle } from "drizzle-orm/bun-sql";
import { prepareReads } from "../../src/store/reader-statements";
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

/** Arguments for each statement, in the order of its `$1`, `$2` … */
const ARGUMENTS: Readonly<Record<Exclude<keyof ReturnType<typeof prepareReads>, "sequences">, string>> = {
  idsByRange: "0, 5000, 5100",
  heads: `ARRAY['\\x0031', '\\x0032']::bytea[]`,
  idsByTopic: `ARRAY['\\x0031', '\\x0032']::bytea[], ARRAY[0, 5]::int8[], 19000`,
  newest: `ARRAY['\\x0031', '\\x0032']::bytea[]`,
  above: "0, 19000, 1000, 100000",
  byIds: "0, ARRAY[5, 7, 19000]::int8[], 100000",
  ascending: `'\\x0031', 0, 10`,
  descending: `'\\x0031', 20000, 10`,
};

async function explain(statement: string): Promise<string> {
  const rows: readonly (readonly string[])[] = await session.unsafe(`EXPLAIN ${statement}`).values();
  return rows.map(([line]) => line).join("\n");
}

/** The numbers of the statement's parameters must be those that `ARGUMENTS` has values for. */
const parametersOf = (statement: string) => new Set(statement.match(/\$[0-9]+/g)).size;

test("plans made while the table was empty are right for a full one too, and ids come from the index alone", async () => {
  const statements = prepareReads(drizzle(session));
  await session.unsafe("SET plan_cache_mode = force_generic_plan");
  for (const [name, values] of Object.entries(ARGUMENTS)) {
    const { sql } = Object.entries(statements)
      .find(([known]) => known === name)?.[1]
      .getQuery() ?? { sql: "" };
    expect(parametersOf(sql), name).toBe(values.replace(/ARRAY\[[^\]]*\]/g, "array").split(",").length);
    await session.unsafe(`PREPARE ${name} AS ${sql}`);
    await session.unsafe(`EXECUTE ${name} (${values})`);
  }
  await session.unsafe(`INSERT INTO messages (id, created_ns, kind, arm, topic, digest, body)
    SELECT id, 0, 0, 1, '\\x00'::bytea || convert_to((id % 500)::text, 'UTF8'), sha256(int8send(id)), '\\x0102'
    FROM generate_series(1, 20000) AS id`);
  for (const [name, values] of Object.entries(ARGUMENTS)) {
    const plan = await explain(`EXECUTE ${name} (${values})`);
    expect(plan, name).not.toContain("Seq Scan");
    expect(plan, name).toContain("Index");
  }
  await session.unsafe("VACUUM ANALYZE messages");
  for (const name of ["idsByTopic", "heads"] as const) {
    const plan = await explain(`EXECUTE ${name} (${ARGUMENTS[name]})`);
    expect(plan, name).toMatch(/Index Only Scan (Backward )?using messages_topic_id/);
    expect(plan, name).toContain("topic = asked.wanted");
  }
  expect(await explain(`EXECUTE idsByRange (${ARGUMENTS.idsByRange})`)).toContain("Index Scan using messages_pkey");
});
