import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLogger } from "../../src/base/log";
import { StoreError } from "../../src/store/error";
import { MIGRATIONS, type Migration, migrate } from "../../src/store/migrate";
import type { DatabaseTarget } from "../../src/store/target";
import { createDatabase } from "../support/database";
import { connectSql } from "../support/sql-connection";

const FIRST: Migration = { name: "0001_first", sql: "CREATE TABLE one (n int); INSERT INTO one VALUES (1);" };
const SECOND: Migration = { name: "0002_second", sql: "ALTER TABLE one ADD COLUMN m int;" };

/** Migrates and gives the names of the migrations that were applied by it. */
async function apply(target: DatabaseTarget, migrations: readonly Migration[]): Promise<readonly string[]> {
  const lines: string[] = [];
  const log = createLogger({ level: "info", format: "json", write: (line) => lines.push(line), wallMs: () => 0 });
  await migrate(target, { log, migrations });
  return lines.map((line) => String(JSON.parse(line).migration));
}

async function storeErrorOf(promise: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  if (!(error instanceof StoreError)) throw new Error(`expected a StoreError, got ${error}`);
  return error;
}

describe("migrating", () => {
  test("knows every file of migrations/, in order, word for word", () => {
    const directory = join(import.meta.dir, "../../migrations");
    const files = readdirSync(directory)
      .filter((file) => file.endsWith(".sql"))
      .sort()
      .map((file) => ({ name: file.replace(/\.sql$/, ""), sql: readFileSync(join(directory, file), "utf8") }));
    expect(MIGRATIONS).toEqual(files);
  });

  test("applies what is missing, once, in order", async () => {
    await using database = await createDatabase({ migrated: false });
    expect(await apply(database.target, [FIRST])).toEqual(["0001_first"]);
    expect(await apply(database.target, [FIRST, SECOND])).toEqual(["0002_second"]);
    expect(await apply(database.target, [FIRST, SECOND])).toEqual([]);
    await using sql = connectSql(database.target);
    expect([...(await sql`SELECT n, m FROM one`)]).toEqual([{ n: 1, m: null }]);
  });

  test("applies each once when several nodes start at the same time", async () => {
    await using database = await createDatabase({ migrated: false });
    const nodes = Array.from({ length: 5 }, () => apply(database.target, [FIRST, SECOND]));
    expect((await Promise.all(nodes)).flat().sort()).toEqual(["0001_first", "0002_second"]);
  });

  test("leaves nothing of a migration that fails, and goes on from there when it is mended", async () => {
    await using database = await createDatabase({ migrated: false });
    const broken: Migration = { name: "0002_second", sql: "CREATE TABLE two (n int); SELECT nonsense;" };
    const error = await storeErrorOf(apply(database.target, [FIRST, broken]));
    expect(error.message).toContain("could not be migrated");
    await using sql = connectSql(database.target);
    expect([...(await sql`SELECT to_regclass('one') IS NULL AS one, to_regclass('two') IS NULL AS two`)]).toEqual([
      { one: false, two: true },
    ]);
    expect(await apply(database.target, [FIRST, SECOND])).toEqual(["0002_second"]);
  });

  test("refuses a database that is newer than the program, and says so", async () => {
    await using database = await createDatabase({ migrated: false });
    await apply(database.target, [FIRST, SECOND]);
    const error = await storeErrorOf(apply(database.target, [FIRST]));
    expect(error.fault).toBe("incompatible");
    expect(error.message).toContain("newer than this program: it has migration 0002_second");
  });

  test("refuses a database whose migrations are not the program's", async () => {
    await using database = await createDatabase({ migrated: false });
    await apply(database.target, [FIRST]);
    const altered = { ...FIRST, sql: `${FIRST.sql} -- altered` };
    for (const migrations of [[altered], [{ ...FIRST, name: "0001_other" }]]) {
      const error = await storeErrorOf(apply(database.target, migrations));
      expect(error.fault).toBe("incompatible");
      expect(error.message).toContain("was made by other migrations");
    }
  });

  test("only reads a database that is up to date, so that a standby will do", async () => {
    await using database = await createDatabase();
    await using sql = connectSql(database.target);
    await sql.unsafe(`ALTER DATABASE ${database.target.database} SET default_transaction_read_only = on`);
    await migrate(database.target);
  });

  test("says that the server cannot be reached, and lets the caller try again", async () => {
    await using database = await createDatabase();
    const nowhere = { ...database.target, address: { kind: "tcp", host: "127.0.0.1", port: 1 } } as const;
    const error = await storeErrorOf(migrate(nowhere));
    expect(error.fault).toBe("unreachable");
    expect(error.retryable).toBe(true);
  });
});
