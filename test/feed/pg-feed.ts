import postgres from "postgres";
import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { type Kind, type Topic, topicOf } from "../../src/core/topic";
import { createFeed, type RunningFeed } from "../../src/feed/feed";
import type { FeedOptions } from "../../src/feed/options";
import type { EncodeEntry } from "../../src/feed/types";
import { openStore, type Store } from "../../src/store/store";
import { type DatabaseTarget, postgresJsOptions } from "../../src/store/target";
import type { Reader } from "../../src/store/types";
import { encodeTest } from "./harness";

/** A feed on a real database, and the reader it uses. */
export interface PgFeed extends AsyncDisposable {
  readonly feed: RunningFeed;
  readonly reader: Reader;
  readonly store: Store;
  /** Questions asked of the store so far. */
  readonly queries: () => number;
}

/** Started. It polls until it is told that it listens. */
export async function pgFeed(
  target: DatabaseTarget,
  options: Partial<FeedOptions> = {},
  encode: EncodeEntry = encodeTest,
): Promise<PgFeed> {
  const store = await openStore({ target, clock: systemClock, log: silentLogger, readConnections: 6 });
  let queries = 0;
  const reader = counted(store.reader, () => {
    queries += 1;
  });
  const feed = createFeed({
    reader,
    openAppender: (onCommitted) => store.appender({ onCommitted }),
    encode,
    clock: systemClock,
    log: silentLogger,
    options,
  });
  await feed.start();
  return {
    feed,
    reader: store.reader,
    store,
    queries: () => queries,
    [Symbol.asyncDispose]: async () => {
      await feed[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

function counted(reader: Reader, count: () => void): Reader {
  const asked = <Arguments extends readonly unknown[], Answer>(ask: (...given: Arguments) => Answer) => {
    return (...given: Arguments): Answer => {
      count();
      return ask(...given);
    };
  };
  return {
    isStandby: asked(() => reader.isStandby()),
    headIds: asked(() => reader.headIds()),
    above: asked((...given) => reader.above(...given)),
    heads: asked((...given) => reader.heads(...given)),
    topicsIn: asked((...given) => reader.topicsIn(...given)),
    first: asked((...given) => reader.first(...given)),
    ids: asked((...given) => reader.ids(...given)),
    byIds: asked((...given) => reader.byIds(...given)),
    ofTopic: asked((...given) => reader.ofTopic(...given)),
  };
}

/** The n-th topic of `fillDatabase`: 33 bytes, as real ones are. */
export function filledTopic(kind: Kind, n: number): Topic {
  const number = new Uint8Array(4);
  new DataView(number.buffer).setUint32(0, n);
  return topicOf(kind, new Bun.CryptoHasher("sha256").update(number).digest());
}

export interface Filling {
  readonly kind: Kind;
  readonly rows: number;
  readonly topics: number;
  readonly bodyBytes: number;
}

/** Fills an empty database with rows whose topics follow no order, and has its statistics made. */
export async function fillDatabase(target: DatabaseTarget, fillings: readonly Filling[]): Promise<void> {
  const sql = postgres(postgresJsOptions(target, { connections: 1, applicationName: "tests" }));
  try {
    // VACUUM marks only pages as visible to all whose commit is known to be in the log; index-only scans need them marked.
    await sql`SET synchronous_commit = on`;
    for (const { kind, rows, topics, bodyBytes } of fillings) {
      await sql`
        INSERT INTO messages (id, created_ns, kind, arm, topic, digest, body)
        SELECT id, id, ${kind}, 1,
          set_byte('\\x00'::bytea, 0, ${kind}) || sha256(int4send(('x' || left(md5(id::text), 7))::bit(28)::int % ${topics}::int)),
          sha256(int8send(id)), decode(repeat('ab', ${bodyBytes}::int), 'hex')
        FROM generate_series(1, ${rows}::bigint) AS id`;
      await sql`UPDATE sequences SET last = ${rows} WHERE kind = ${kind}`;
    }
    await sql`VACUUM ANALYZE messages`;
  } finally {
    await sql.end();
  }
}

/** Ids and topics of all rows of a kind, ascending, asked for as plainly as possible. */
export async function readAll(
  target: DatabaseTarget,
  kind: Kind,
): Promise<readonly { readonly id: bigint; readonly topic: string }[]> {
  const sql = postgres(postgresJsOptions(target, { connections: 1, applicationName: "tests" }));
  try {
    const rows = await sql`SELECT id::text, topic FROM messages WHERE kind = ${kind} ORDER BY messages.id`;
    return rows.map(({ id, topic }) => ({ id: BigInt(id), topic: Buffer.from(topic).toString("latin1") }));
  } finally {
    await sql.end();
  }
}
