/** A Postgres of a drill's own, as durable as Postgres is, that can be killed and started again. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { systemClock } from "../../../src/base/clock";
import { silentLogger } from "../../../src/base/log";
import { libraryPath, locateBinaries } from "../../../src/store/embedded/binaries";
import { chooseOwner, makeServerDirectory } from "../../../src/store/embedded/owner";
import {
  initCluster,
  type RunningServer,
  type ServerHost,
  SUPERUSER,
  sendSignal,
  startServer,
} from "../../../src/store/embedded/server";
import { type DatabaseTarget, postgresJsOptions, targetUrl } from "../../../src/store/target";
import { embeddedTarget } from "../../bench/support/database";

const SETTINGS = {
  listen_addresses: "",
  max_connections: "100",
  shared_buffers: "64MB",
  jit: "off",
  log_min_messages: "fatal",
};
/** How long what is left of a killed server may be in the way of the next one, in milliseconds. */
const LEFTOVER_MS = 20_000;

export class FaultPostgres implements AsyncDisposable {
  readonly target: DatabaseTarget;
  readonly #directory: string;
  readonly #host: ServerHost;
  readonly #settings: Readonly<Record<string, string>>;
  #server: RunningServer | undefined;

  private constructor(directory: string, settings: Readonly<Record<string, string>> = {}) {
    const binaries = locateBinaries();
    const cluster = join(directory, "cluster");
    const owner = chooseOwner(cluster, join(binaries.root, "bin/postgres"));
    makeServerDirectory(directory, owner);
    makeServerDirectory(cluster, owner);
    this.#directory = directory;
    this.#settings = { ...SETTINGS, ...settings, unix_socket_directories: directory };
    const library = libraryPath(binaries, join(directory, "lib"));
    this.#host = { binaries, libraryPath: library, owner, cluster, clock: systemClock, log: silentLogger };
    this.target = embeddedTarget(directory);
  }

  static async start(): Promise<FaultPostgres> {
    const server = new FaultPostgres(mkdtempSync(join(tmpdir(), "tideline-fault-pg-")));
    await initCluster(server.#host, false);
    await server.startAgain();
    return server;
  }

  /** A hot standby of a server, which is stopped for a moment to be copied. */
  static async standbyOf(primary: FaultPostgres): Promise<FaultPostgres> {
    const conninfo = `host=${primary.#directory} user=${SUPERUSER} dbname=postgres`;
    const directory = mkdtempSync(join(tmpdir(), "tideline-fault-pg-"));
    const standby = new FaultPostgres(directory, { primary_conninfo: conninfo });
    const { cluster } = standby.#host;
    await primary.end("SIGINT");
    const copied = Bun.spawnSync(["cp", "--archive", `${primary.#host.cluster}/.`, cluster]);
    if (!copied.success) throw new Error(`the cluster could not be copied: ${copied.stderr}`);
    writeFileSync(join(cluster, "standby.signal"), "");
    await Promise.all([primary.startAgain(), standby.startAgain()]);
    return standby;
  }

  /** For DATABASE_URL. */
  get url(): string {
    return targetUrl(this.target);
  }

  /** Starts the server after it was ended, as soon as what is left of it lets us. */
  async startAgain(): Promise<void> {
    const endMs = systemClock.now() + LEFTOVER_MS;
    for (;;) {
      try {
        this.#server = await startServer(this.#host, this.#settings);
        return;
      } catch (error) {
        if (systemClock.now() > endMs) throw error;
        await systemClock.sleep(50);
      }
    }
  }

  /** Ends the server: SIGKILL the postmaster alone, SIGQUIT all at once ("immediate"), SIGINT in order ("fast"). */
  async end(signal: "SIGKILL" | "SIGQUIT" | "SIGINT"): Promise<void> {
    const server = this.#server;
    if (server === undefined) throw new Error("the database does not run");
    this.#server = undefined;
    sendSignal(server.pid, signal);
    await server.exited;
  }

  /** A connection of an administrator. */
  connect(): Sql {
    return connectTo(this.target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server !== undefined) await this.end("SIGQUIT");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A connection of an administrator to any database; to be ended. */
export function connectTo(target: DatabaseTarget): Sql {
  return postgres({ ...postgresJsOptions(target, { connections: 1, applicationName: "faults" }), types: {}, max: 1 });
}
