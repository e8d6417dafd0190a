/** A real Postgres 18 of our own in the data directory: what runs when no DATABASE_URL is given. */

import { createHash } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, pause } from "../../base/clock";
import type { Logger } from "../../base/log";
import { messageOf } from "../../base/thrown";
import { StoreError } from "../error";
import type { DatabaseTarget } from "../target";
import { removeOtherBinaries } from "./archive";
import { libraryPath, type PostgresBinaries } from "./binaries";
import { checkVersion, makeCluster } from "./cluster";
import { clearLeftover } from "./leftover";
import { lockDirectory } from "./lock";
import { chooseOwner, makeServerDirectory, type ServerOwner } from "./owner";
import { type RunningServer, type ServerHost, SUPERUSER, startServer } from "./server";
import { PORT, serverSettings } from "./settings";

export interface EmbeddedOptions {
  /** Where everything is kept: made if it is missing. One node at a time. */
  readonly dataDir: string;
  readonly binaries: PostgresBinaries;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The embedded database, running until it is disposed of or the process ends, even by kill -9. */
export interface EmbeddedDatabase extends AsyncDisposable {
  /** Stays the same over restarts of the server: pools reconnect to it. */
  readonly target: DatabaseTarget;
  /** Of the postmaster that runs now, or ran last. */
  readonly pid: number;
}

/** A unix socket's path must fit into 107 bytes on Linux. */
const MAX_SOCKET_PATH_BYTES = 107;

/** Pauses before a server that died is started again, in milliseconds: doubling, from the first when it had run well. */
const FIRST_RESTART_MS = 20;
const MAX_RESTART_MS = 1_000;
const WELL_MS = 10_000;

/**
 * Starts the database of a data directory: makes it on the first start, and waits until it accepts connections.
 * A server that dies on its own is started again.
 *
 * @throws StoreError `refused` when another node uses the directory, or a server does not start;
 *   `incompatible` when the directory holds another major version.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  try {
    return await startInDirectory(options);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const detail = messageOf(error);
    throw new StoreError("refused", `the data directory ${options.dataDir} cannot be used: ${detail}`, error);
  }
}

async function startInDirectory(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync(options.dataDir);
  await using undo = new AsyncDisposableStack();
  undo.use(await lockDirectory(join(dataDir, "lock"), options.clock));
  const embedded = new Embedded(options, dataDir);
  await embedded.start();
  const held = undo.move();
  return {
    target: embedded.target,
    get pid() {
      return embedded.pid;
    },
    [Symbol.asyncDispose]: async () => {
      await using _lock = held;
      await embedded.stop();
    },
  };
}

/** The server of one data directory over its restarts. The caller holds the directory's lock. */
class Embedded {
  readonly #host: ServerHost;
  readonly #socketDirectory: string;
  readonly #stopping = new AbortController();
  #server: RunningServer | undefined;
  #keeping: Promise<void> = Promise.resolve();

  constructor({ binaries, clock, log }: EmbeddedOptions, dataDir: string) {
    const cluster = join(dataDir, "postgres");
    const owner = chooseOwner(cluster, join(binaries.root, "bin/postgres"));
    const libraries = libraryPath(binaries, join(dataDir, "lib"));
    this.#host = { binaries, libraryPath: libraries, owner, cluster, clock, log };
    this.#socketDirectory = chooseSocketDirectory(dataDir);
  }

  get target(): DatabaseTarget {
    return {
      address: { kind: "socket", directory: this.#socketDirectory, port: PORT },
      user: SUPERUSER,
      password: "",
      database: "postgres",
      tls: "disable",
      rootCertificate: undefined,
    };
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  async start(): Promise<void> {
    const { cluster, clock, log } = this.#host;
    const startedAt = clock.now();
    const fresh = !existsSync(cluster);
    if (fresh) await makeCluster(this.#host);
    checkVersion(cluster);
    removeOtherBinaries(this.#host.binaries);
    this.#server = await this.#startServer();
    this.#keeping = this.#keep(this.#server);
    log.info("embedded database ready", { pid: this.pid, fresh, ms: Math.round(clock.now() - startedAt) });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#server?.stop();
    await this.#keeping;
    // One that was just being started again.
    await this.#server?.stop();
    rmSync(this.#socketDirectory, { recursive: true, force: true });
  }

  async #startServer(): Promise<RunningServer> {
    const { cluster, owner } = this.#host;
    await clearLeftover(cluster, this.#host);
    makeSocketDirectory(this.#socketDirectory, owner);
    return await startServer(this.#host, serverSettings(cluster, this.#socketDirectory));
  }

  /** Starts a server again whenever it has died, until we stop it ourselves. */
  async #keep(first: RunningServer): Promise<void> {
    const { clock, log } = this.#host;
    const { signal } = this.#stopping;
    let server: RunningServer | undefined = first;
    let startedAt = clock.now();
    let pauseMs = FIRST_RESTART_MS;
    for (;;) {
      const code: number | undefined = await server?.exited;
      if (signal.aborted) return;
      if (server !== undefined) log.error("the embedded database died; starting it again", { pid: server.pid, code });
      if (clock.now() - startedAt > WELL_MS) pauseMs = FIRST_RESTART_MS;
      if (!(await pause(clock, pauseMs, signal))) return;
      pauseMs = Math.min(pauseMs * 2, MAX_RESTART_MS);
      startedAt = clock.now();
      server = await this.#restart();
      // Stopped meanwhile: `stop` waits for this loop, then stops the server.
      if (signal.aborted) return;
    }
  }

  async #restart(): Promise<RunningServer | undefined> {
    const { clock, log } = this.#host;
    const startedAt = clock.now();
    try {
      this.#server = await this.#startServer();
      log.info("embedded database ready again", { pid: this.pid, ms: Math.round(clock.now() - startedAt) });
      return this.#server;
    } catch (error) {
      log.error("the embedded database does not start", { detail: messageOf(error) });
      return undefined;
    }
  }
}

/** In the data directory, or under the system's temporary one when its path would be too long for a socket. */
function chooseSocketDirectory(dataDir: string): string {
  const own = join(dataDir, "socket");
  if (Buffer.byteLength(`${own}/.s.PGSQL.${PORT}`) <= MAX_SOCKET_PATH_BYTES) return own;
  const hash = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  return join(tmpdir(), `tideline-${process.getuid?.() ?? 0}-${hash}`);
}

/** Closed to all others, and empty: a socket's lock file names a pid that may be another's by now. */
function makeSocketDirectory(path: string, owner: ServerOwner): void {
  const uid = owner.kind === "self" ? process.getuid?.() : owner.uid;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && (!found.isDirectory() || found.uid !== uid)) {
    throw new StoreError("refused", `${path} is needed for the database's socket and belongs to somebody else`);
  }
  rmSync(path, { recursive: true, force: true });
  makeServerDirectory(path, owner);
  chmodSync(path, 0o700);
}
