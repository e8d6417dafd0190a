/** Makes messages durable: many requests in one autocommit statement. */

import { type SQL, sql } from "drizzle-orm";
import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import { type Kind, kindOf, type PerKind } from "../core/topic";
import { Batcher, type BatcherLimits } from "./batcher";
import { StoreError } from "./error";
import { type RetryHost, retrying } from "./retry";
import type { SqlSession } from "./schema";
import type { SqlPool } from "./sql-pool";
import type { Appender, Committed, NewMessage, StoredMessage } from "./types";

/** The statement of a connection that appends. */
export type AppendStatements = ReturnType<typeof prepareAppend>;

/** One kind's messages as `append_in_runs` takes them. Arrays are in Postgres' text form. */
export interface AppendParameters {
  readonly kind: Kind;
  readonly stampNs: bigint;
  readonly arms: string;
  readonly topics: Uint8Array;
  readonly topicBounds: string;
  readonly digests: Uint8Array;
  readonly bodies: Uint8Array;
  readonly bodyBounds: string;
}

/** The answer for so many messages in a row: the id of the first, whose successors the others have, and whether they were stored by this very call. */
type Run = readonly [messages: number, first: bigint, fresh: boolean];

export interface AppenderHost {
  /**
   * A connection for each kind, which takes a batch behind another: they are stored in the order in which they were
   * sent, and told in that in which they were stored.
   */
  readonly pools: PerKind<SqlPool<AppendStatements>>;
  readonly retry: RetryHost;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: BatcherLimits;
  /**
   * Called synchronously after each commit, in commit order per kind, before `append` resolves for the batch.
   * What a repetition finds stored already (its first answer was lost) is not told: only a look at the store
   * shows it.
   */
  readonly onCommitted: (batch: Committed) => void;
}

const DIGEST_BYTES = 32;
const MAX_ARM = 32_767;

/**
 * The call of `append_in_runs` (migrations/0004_append_in_runs.sql) as a prepared statement.
 *
 * Messages travel as joined blobs with their bounds: both drivers send a bytea as it is, but an array of bytea
 * as hexadecimal text, at twice the cost for both ends (docs/decisions/0001-driver.md).
 */
export function prepareAppend({ database, run }: SqlSession) {
  const { placeholder } = sql;
  const call: SQL = sql`append_in_runs(
    ${placeholder("kind")}::int2, ${placeholder("stampNs")}::int8, ${placeholder("arms")}::int2[],
    ${placeholder("topics")}::bytea, ${placeholder("topicBounds")}::int4[], ${placeholder("digests")}::bytea,
    ${placeholder("bodies")}::bytea, ${placeholder("bodyBounds")}::int4[])`;
  const statement = database
    .select({ messages: sql`messages`, first: sql`first`, fresh: sql`fresh` })
    .from(call)
    .toSQL();
  return (parameters: AppendParameters) => run<Run>(statement, { ...parameters });
}

/** {@link Appender} on Postgres. */
export class SqlAppender implements Appender {
  readonly #host: AppenderHost;
  readonly #batchers: PerKind<Batcher>;
  #closed = false;

  constructor(host: AppenderHost) {
    this.#host = host;
    const batcher = (kind: Kind) => new Batcher(host.limits, host.clock, (messages) => this.#store(kind, messages));
    this.#batchers = [batcher(0), batcher(1)];
  }

  async append(request: readonly NewMessage[]): Promise<readonly bigint[]> {
    if (this.#closed) throw new StoreError("unreachable", "the store is closed");
    const [first] = request;
    if (first === undefined) return [];
    for (const message of request) check(message, first.kind);
    return await this.#batchers[first.kind].add(request);
  }

  /** Takes nothing more, and resolves when all that was taken is stored or has failed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#batchers.map((batcher) => batcher.idle()));
  }

  async #store(kind: Kind, messages: readonly NewMessage[]): Promise<readonly bigint[]> {
    const { pools, retry, clock } = this.#host;
    // Made once: a repetition must say the very same, down to the time.
    const stampNs = clock.wallNs();
    const parameters = encode(kind, stampNs, messages);
    const runs = await retrying(retry, "messages could not be stored", () =>
      pools[kind].run((append) => append(parameters)),
    );
    const ids: bigint[] = [];
    const stored: StoredMessage[] = [];
    for (const [count, first, fresh] of runs) {
      for (let id = first; id < first + BigInt(count); id++) {
        const message = messages[ids.length];
        ids.push(id);
        if (!fresh || message === undefined) continue;
        const { topic, arm, body } = message;
        stored.push({ kind, id, topic, createdNs: stampNs, arm, body });
      }
    }
    if (ids.length !== messages.length) {
      const message = `append_in_runs answered for ${ids.length} messages, and was given ${messages.length}`;
      throw new StoreError("incompatible", message);
    }
    this.#tell({ kind, messages: stored });
    return ids;
  }

  /** A listener's fault is not the publisher's: the messages are stored, and the store shows them to who looks. */
  #tell(batch: Committed): void {
    try {
      this.#host.onCommitted(batch);
    } catch (error) {
      const name = error instanceof Error ? error.name : typeof error;
      this.#host.log.error("a committed batch was not taken", { kind: batch.kind, error: name });
    }
  }
}

/** @throws StoreError for what would disturb other messages of its batch rather than be refused by itself. */
function check({ kind, topic, digest, arm }: NewMessage, requestKind: Kind): void {
  const refuse = (message: string) => {
    throw new StoreError("refused", message);
  };
  if (kind !== requestKind)
    refuse(`a request holds messages of one kind; it began with ${requestKind}, then came ${kind}`);
  if (kindOf(topic) !== kind) refuse(`a message of kind ${kind} has a topic of kind ${kindOf(topic)}`);
  if (digest.byteLength !== DIGEST_BYTES) refuse(`a digest has ${DIGEST_BYTES} bytes; got ${digest.byteLength}`);
  if (!Number.isInteger(arm) || arm < 0 || arm > MAX_ARM) refuse(`an arm is a number from 0 to ${MAX_ARM}; got ${arm}`);
}

/** Messages of one kind as parameters of the statement. */
export function encode(kind: Kind, stampNs: bigint, messages: readonly NewMessage[]): AppendParameters {
  return {
    kind,
    stampNs,
    arms: `{${messages.map(({ arm }) => arm).join()}}`,
    topics: Buffer.from(messages.map(({ topic }) => topic).join(""), "latin1"),
    topicBounds: bounds(messages.map(({ topic }) => topic.length)),
    digests: Buffer.concat(messages.map(({ digest }) => digest)),
    bodies: Buffer.concat(messages.map(({ body }) => body)),
    bodyBounds: bounds(messages.map(({ body }) => body.byteLength)),
  };
}

/** Where each part of a blob ends, counted in bytes, after a first 0; as text of a Postgres array. */
function bounds(lengths: readonly number[]): string {
  let end = 0;
  let text = "{0";
  for (const length of lengths) {
    end += length;
    text += `,${end}`;
  }
  return `${text}}`;
}
