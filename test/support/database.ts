/**
 * Real databases for tests: one throw-away Postgres per process, started on import, and a fresh,
 * migrated database per call. Nothing of it survives the process, not even its death by kill -9.
 */

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { libraryPath, locateBinaries } from "../../src/store/embedded/binaries";
import { chooseOwner, makeServerDirectory } from "../../src/store/embedded/owner";
import {
  initCluster,
  type RunningServer,
  type ServerHost,
  SUPERUSER,
  startServer,
} from "../../src/store/embedded/server";
import { migrate } from "../../src/store/migrate";
import { type DatabaseTarget, postgresJsOptions, targetUrl } from "../../src/store/target";
import { quickDisk } from "./quick-disk";

/** A database of its own, dropped with `await using`. */
export interface TestDatabase extends AsyncDisposable {
  readonly target: DatabaseTarget;
  /** The same as a URL for DATABASE_URL. */
  readonly url: string;
}

export interface DatabaseOptions {
  /** Whether the schema is there already. Default true. */
  readonly migrated?: boolean;
}

/** Durability is what these databases need least. */
const SETTINGS = {
  listen_addresses: "",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: "200",
  shared_buffers: "64MB",
  autovacuum: "off",
  jit: "off",
  log_min_messages: "fatal",
};

const TEMPLATE = "tideline_template";

interface TestServer {
  readonly server: RunningServer;
  readonly directory: string;
}

/**
 * Started on import rather than by the first test that asks: the test runner kills all processes that were
 * started within a test when that test times out, and every later one would fail with it.
 */
const testServer = await startTestServer();
let created = 0;

/** Makes a new database on this process's server, in about 15 ms. */
export async function createDatabase(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const { directory } = testServer;
  const database = `test_${++created}`;
  const template = options.migrated === false ? "template1" : TEMPLATE;
  await asAdmin(directory, `CREATE DATABASE ${database} TEMPLATE ${template}`);
  const target = targetAt(directory, database);
  return {
    target,
    url: targetUrl(target),
    [Symbol.asyncDispose]: () => asAdmin(directory, `DROP DATABASE ${database} WITH (FORCE)`),
  };
}

async function startTestServer(): Promise<TestServer> {
  const directory = mkdtempSync(join(quickDisk(), "tideline-test-"));
  removeAfterwards(directory);
  const binaries = locateBinaries();
  const cluster = join(directory, "cluster");
  const owner = chooseOwner(cluster, join(binaries.root, "bin/postgres"));
  makeServerDirectory(directory, owner);
  makeServerDirectory(cluster, owner);
  const host: ServerHost = {
    binaries,
    libraryPath: libraryPath(binaries, join(directory, "lib")),
    owner,
    cluster,
    clock: systemClock,
    log: silentLogger,
  };
  await initCluster(host, false);
  const server = await startServer(host, { ...SETTINGS, unix_socket_directories: directory });
  await asAdmin(directory, `CREATE DATABASE ${TEMPLATE}`);
  await migrate(targetAt(directory, TEMPLATE));
  return { server, directory };
}

/**
 * Leaves a shell behind that outlives this process: when our end of its input closes, for whatever reason, it
 * waits for the server to be gone and removes the directory.
 */
function removeAfterwards(directory: string): void {
  const script = `
    while read -r _; do :; done
    tries=0
    while [ -e "$1" ] && [ $tries -lt 100 ]; do
      # One that is still being made may put new files where old ones were just removed.
      [ -e "$1/cluster/postmaster.pid" ] || rm -rf "$1"
      sleep 0.1
      tries=$((tries + 1))
    done
  `;
  const janitor = Bun.spawn(["/bin/sh", "-c", script, "janitor", directory], {
    detached: true,
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  janitor.unref();
  // Keeps the janitor's input open as long as this process lives.
  process.once("exit", () => void janitor.stdin.end());
}

function targetAt(directory: string, database: string): DatabaseTarget {
  return {
    address: { kind: "socket", directory, port: 5432 },
    user: SUPERUSER,
    password: "",
    database,
    tls: "disable",
    rootCertificate: undefined,
  };
}

async function asAdmin(directory: string, statement: string): Promise<void> {
  const sql = postgres(
    postgresJsOptions(targetAt(directory, "postgres"), { connections: 1, applicationName: "tests" }),
  );
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}
