import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { SQL } from "bun";
import { systemClock } from "../../src/base/clock";
import { createLogger, silentLogger } from "../../src/base/log";
import { libraryPath, locateBinaries, type PostgresBinaries } from "../../src/store/embedded/binaries";
import { type EmbeddedDatabase, startEmbedded } from "../../src/store/embedded/database";
import { chooseOwner, makeServerDirectory } from "../../src/store/embedded/owner";
import { initCluster } from "../../src/store/embedded/server";
import { StoreError } from "../../src/store/error";
import { migrate } from "../../src/store/migrate";
import { quickDisk } from "../support/quick-disk";
import { connectSql } from "../support/sql-connection";
import { until } from "../support/until";

const binaries = locateBinaries();
const parent = mkdtempSync(join(quickDisk(), "tideline-embedded-"));
const dataDir = join(parent, "data");

afterAll(() => rmSync(parent, { recursive: true, force: true }));

function start(directory = dataDir, from: PostgresBinaries = binaries): Promise<EmbeddedDatabase> {
  return startEmbedded({ dataDir: directory, binaries: from, clock: systemClock, log: silentLogger });
}

async function setCounter(sql: SQL, last: bigint): Promise<void> {
  await sql`UPDATE sequences SET last = ${last} WHERE kind = 0`;
}

async function readCounter(sql: SQL): Promise<unknown> {
  const [row] = await sql`SELECT last FROM sequences WHERE kind = 0`;
  return row.last;
}

/** Whether a process runs; one that has ended and waits for its parent to ask does not. */
function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && statOf(pid)[0] !== "Z";
}

async function storeErrorOf(promise: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  if (!(error instanceof StoreError)) throw new Error(`expected a StoreError, got ${error}`);
  return error;
}

describe("the embedded database", () => {
  test("is made on the first start, durable, on a unix socket only, and is gone after a stop", async () => {
    const database = await start();
    await migrate(database.target);
    {
      await using sql = connectSql(database.target);
      await setCounter(sql, 7n);
      const [found] = await sql`
        SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commits,
          current_setting('listen_addresses') AS addresses, current_setting('server_encoding') AS encoding,
          current_setting('server_version') AS version`;
      expect(found).toEqual({ fsync: "on", commits: "on", addresses: "", encoding: "UTF8", version: "18.4" });
    }
    const { pid } = database;
    expect(isAlive(pid)).toBe(true);
    await database[Symbol.asyncDispose]();
    expect(isAlive(pid)).toBe(false);
  });

  test("keeps its rows from one start to the next", async () => {
    await using database = await start();
    await using sql = connectSql(database.target);
    expect(await readCounter(sql)).toBe(7n);
  });

  test("refuses a second node on its directory, in this process or another, and names the first", async () => {
    await using _database = await start();
    const [error, said] = await Promise.all([storeErrorOf(start()), new Response(spawnNode(dataDir).stdout).text()]);
    expect(error.fault).toBe("refused");
    expect(error.message).toContain(`process ${process.pid} holds`);
    expect(said).toContain(`failed process ${process.pid} holds`);
  });

  test("tells its log what happens to the server, and nothing that a statement held", async () => {
    const lines: string[] = [];
    const log = createLogger({ level: "debug", format: "json", write: (line) => lines.push(line), wallMs: () => 0 });
    await using database = await startEmbedded({ dataDir, binaries, clock: systemClock, log });
    await using sql = connectSql(database.target);
    await sql`SELECT ${"s3cret\nERROR"}::text::int`.catch(() => {});
    await sql`SELECT pg_terminate_backend(pg_backend_pid())`.catch(() => {});
    await until(() => lines.some((line) => line.includes("terminating")), "the end of the session is logged");
    expect(lines.filter((line) => line.includes("s3cret"))).toEqual([]);
    expect(lines.some((line) => line.includes("ready to accept connections"))).toBe(true);
  });

  test("starts again by itself when its postmaster is killed, and pools reconnect", async () => {
    await using database = await start();
    await using sql = connectSql(database.target);
    await setCounter(sql, 8n);
    const { pid } = database;
    process.kill(pid, "SIGKILL");
    await until(() => database.pid !== pid, "another postmaster is there");
    await until(async () => (await readCounter(sql).catch(() => 0n)) === 8n, "the counter is read again");
  });

  test("starts again when its postmaster is killed over and over", async () => {
    await using database = await start();
    for (let round = 0; round < 3; round++) {
      const { pid } = database;
      process.kill(pid, "SIGKILL");
      await until(() => database.pid !== pid, "another postmaster is there");
    }
  });

  test("takes over when the supervisor is killed and leaves the server an orphan", async () => {
    await using database = await start();
    const { pid } = database;
    process.kill(parentOf(pid), "SIGKILL");
    await until(() => database.pid !== pid, "another postmaster is there");
    expect(isAlive(pid)).toBe(false);
  });

  test("can be stopped while it is being started again", async () => {
    const database = await start();
    process.kill(database.pid, "SIGKILL");
    await until(() => !isAlive(database.pid), "the supervisor is gone");
    await database[Symbol.asyncDispose]();
    await using again = await start();
    expect(isAlive(again.pid)).toBe(true);
  });

  test("can be stopped at any moment of being started again", async () => {
    for (const afterMs of [10, 25, 50, 100, 200]) {
      const database = await start();
      process.kill(database.pid, "SIGKILL");
      await systemClock.sleep(afterMs);
      await database[Symbol.asyncDispose]();
      expect(isAlive(database.pid)).toBe(false);
    }
  });

  test("does not outlive a node that is killed, and gives the next one its directory at once", async () => {
    const node = spawnNode(dataDir);
    const pid = await readyPid(node);
    node.kill("SIGKILL");
    await using database = await start();
    expect(database.pid).not.toBe(pid);
    expect(isAlive(pid)).toBe(false);
    await using sql = connectSql(database.target);
    expect(await readCounter(sql)).toBe(8n);
  });

  test("ends an orphan whose node and supervisor were both killed", async () => {
    const node = spawnNode(dataDir);
    const pid = await readyPid(node);
    const supervisor = parentOf(pid);
    // All shells of the supervisor are one process group, the server too: only the shells are to go.
    const shells = [supervisor, ...childrenOf(supervisor).filter((child) => child !== pid)];
    for (const shell of shells) process.kill(shell, "SIGKILL");
    node.kill("SIGKILL");
    await node.exited;
    await using database = await start();
    expect(isAlive(pid)).toBe(false);
    expect(isAlive(database.pid)).toBe(true);
  });

  test("is not fooled by a pid file that names a process of somebody else", async () => {
    writeFileSync(join(dataDir, "postgres/postmaster.pid"), `${process.ppid}\n${dataDir}/postgres\n1\n5432\n`);
    await using database = await start();
    expect(isAlive(database.pid)).toBe(true);
  });

  test("runs where every user may enter as well as where only the owner may", async () => {
    for (const mode of [0o755, 0o700]) {
      chmodSync(parent, mode);
      await using database = await start();
      await using sql = connectSql(database.target);
      expect(await readCounter(sql)).toBe(8n);
    }
  });

  test("finds a place for its socket when the directory's path is too long for one", async () => {
    const long = join(parent, "x".repeat(120));
    const database = await start(long);
    const { address } = database.target;
    await using sql = connectSql(database.target);
    expect(await sql`SELECT 1 AS one`).toHaveLength(1);
    await database[Symbol.asyncDispose]();
    if (address.kind !== "socket") throw new Error("expected a unix socket");
    expect(existsSync(address.directory)).toBe(false);
  });

  test("removes what a first start that was cut short has left", async () => {
    const directory = join(parent, "cut-short");
    mkdirSync(join(directory, "postgres.new-1/base"), { recursive: true });
    await using database = await start(directory);
    expect(isAlive(database.pid)).toBe(true);
    expect(existsSync(join(directory, "postgres.new-1"))).toBe(false);
  });

  test("says so when its directory cannot be one", async () => {
    const file = join(parent, "a-file");
    writeFileSync(file, "");
    const error = await storeErrorOf(start(join(file, "data")));
    expect(error.fault).toBe("refused");
    expect(error.message).toContain("cannot be used: ");
  });

  test("refuses a directory of another major version, in words", async () => {
    const version = join(dataDir, "postgres/PG_VERSION");
    const right = readFileSync(version, "utf8");
    writeFileSync(version, "17\n");
    const error = await storeErrorOf(start());
    writeFileSync(version, right);
    expect(error.fault).toBe("incompatible");
    expect(error.message).toContain("holds a database of Postgres 17, and this program runs Postgres 18");
  });

  test("says what Postgres said when it does not start, and lets go of the directory", async () => {
    const control = join(dataDir, "postgres/global/pg_control");
    const right = readFileSync(control);
    writeFileSync(control, "broken");
    const error = await storeErrorOf(start());
    writeFileSync(control, right);
    expect(error.message).toContain("Postgres did not start: ");
    await using database = await start();
    expect(isAlive(database.pid)).toBe(true);
  });

  test("says why a database could not be made, and not how what there is of it is removed", async () => {
    const cluster = join(parent, "taken");
    const owner = chooseOwner(cluster, join(binaries.root, "bin/postgres"));
    makeServerDirectory(cluster, owner);
    writeFileSync(join(cluster, "file"), "");
    const library = libraryPath(binaries, join(parent, "lib"));
    const host = { binaries, libraryPath: library, owner, cluster, clock: systemClock, log: silentLogger };
    const error = await storeErrorOf(initCluster(host, false));
    expect(error.message).toMatch(/could not be made in .*taken: initdb: error: directory .* exists but is not empty$/);
  });

  test("says what Postgres died of in its start, and not only that it is down", async () => {
    const log = join(dataDir, "postgres/pg_wal");
    const away = join(dataDir, "postgres/pg_wal.away");
    renameSync(log, away);
    const error = await storeErrorOf(start());
    rmSync(log, { recursive: true, force: true });
    renameSync(away, log);
    expect(error.message).toMatch(/^Postgres did not start: .*pg_wal/);
  });
});

function spawnNode(directory: string): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const script = join(import.meta.dir, "../support/database-node.ts");
  return Bun.spawn([process.execPath, script, directory], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
}

async function readyPid(node: Bun.Subprocess<"ignore", "pipe", "inherit">): Promise<number> {
  const { value } = await node.stdout.getReader().read();
  const [, pid] = /^ready (\d+)$/m.exec(new TextDecoder().decode(value)) ?? [];
  return Number(pid);
}

function parentOf(pid: number): number {
  return Number(statOf(pid)[1]);
}

/** What /proc/PID/stat says after the name in brackets: state, parent … */
function statOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}
