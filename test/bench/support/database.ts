/** A database for benchmarks: as durable as a node's own, filled before any node looks at it. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { systemClock } from "../../../src/base/clock";
import { silentLogger } from "../../../src/base/log";
import { provideBinaries } from "../../../src/store/embedded/archive";
import { startEmbedded } from "../../../src/store/embedded/database";
import { SUPERUSER } from "../../../src/store/embedded/server";
import { migrate } from "../../../src/store/migrate";
import { bunSqlOptions, type DatabaseTarget, targetUrl } from "../../../src/store/target";

/** The embedded database of a fresh directory, migrated, without a node. Disposing of it removes the directory. */
export interface BenchDatabase extends AsyncDisposable {
  /** For `DATABASE_URL`; any number of nodes may share it. */
  readonly url: string;
  readonly target: DatabaseTarget;
  /** Directory of its unix socket. */
  readonly directory: string;
  /** Of the postmaster. */
  readonly pid: number;
}

export async function startDatabase(): Promise<BenchDatabase> {
  const dataDir = mkdtempSync(join(tmpdir(), "tideline-bench-"));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  const binaries = await provideBinaries(dataDir);
  const embedded = undo.use(await startEmbedded({ dataDir, binaries, clock: systemClock, log: silentLogger }));
  await migrate(embedded.target);
  const held = undo.move();
  const { target, pid } = embedded;
  const directory = target.address.kind === "socket" ? target.address.directory : "";
  return {
    url: targetUrl(target),
    target,
    directory,
    pid,
    [Symbol.asyncDispose]: async () => {
      const stopped = held.disposeAsync();
      abandon(pid);
      await stopped;
    },
  };
}

/** Ends a postmaster that is stopping without its last checkpoint, which takes long after much was written. */
function abandon(pid: number): void {
  try {
    process.kill(pid, "SIGQUIT");
  } catch {
    // It has ended by itself.
  }
}

/** Where the embedded database of a node is, by the directory of its socket (its `serving` line names it). */
export function embeddedTarget(directory: string): DatabaseTarget {
  return {
    address: { kind: "socket", directory, port: 5432 },
    user: SUPERUSER,
    password: "",
    database: "postgres",
    tls: "disable",
    rootCertificate: undefined,
  };
}

export { prefilledGroup } from "./groups";

/** Connections for references and for filling. */
export function openSql(target: DatabaseTarget, connections = 1): SQL {
  return new SQL(bunSqlOptions(target, { connections, applicationName: "tideline bench" }));
}

export interface Filling {
  readonly topics: number;
  /** All topics together: message n (from 1) goes to topic `(n - 1) % topics`. */
  readonly messages: number;
  /** Of each message's payload. */
  readonly bytes: number;
  /** Number of the first topic. Default 0. */
  readonly firstTopic?: number;
}

const FILL_ROWS = 100_000;

/**
 * Stores group messages directly, before a node runs on the database: their ids go on from what is there.
 * About 100 000 messages a second. What there is to be written to disk has been when it is done.
 */
export async function prefill(target: DatabaseTarget, filling: Filling): Promise<void> {
  const { topics, messages, bytes, firstTopic = 0 } = filling;
  await using sql = openSql(target);
  const [row] = await sql`SELECT last FROM sequences WHERE kind = 0`;
  const before = Number(row?.last ?? 0);
  for (let from = 1; from <= messages; from += FILL_ROWS) {
    const to = Math.min(from + FILL_ROWS - 1, messages);
    await sql`
      INSERT INTO messages (id, created_ns, kind, arm, topic, digest, body)
      SELECT ${before}::bigint + n, 1700000000000000000 + n, 0, 1,
        '\\x00'::bytea || grp,
        decode(repeat('00', 24), 'hex') || int8send(${before}::bigint + n),
        '\\x1a10'::bytea || grp || '\\x22'::bytea || ${lengthPrefix(bytes)}::bytea || int8send(n)
          || ${Buffer.alloc(bytes - 8)}::bytea
      FROM generate_series(${from}::bigint, ${to}::bigint) AS n,
        LATERAL (SELECT decode(lpad(to_hex(${firstTopic}::bigint + (n - 1) % ${topics}::bigint), 32, '0'), 'hex') AS grp) AS t`;
  }
  await sql`UPDATE sequences SET last = ${before + messages} WHERE kind = 0`;
  await sql.unsafe("VACUUM ANALYZE messages");
  await sql`CHECKPOINT`;
}

/** A varint of protobuf. */
function lengthPrefix(bytes: number): Buffer {
  return bytes < 128 ? Buffer.from([bytes]) : Buffer.from([(bytes & 0x7f) | 0x80, bytes >> 7]);
}
