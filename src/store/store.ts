/** The store of a node: one database, asked and told through pools for each purpose. */

import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import type { PerKind } from "../core/topic";
import { type AppendStatements, prepareAppend, SqlAppender } from "./append";
import { type BatcherLimits, DEFAULT_BATCHER_LIMITS } from "./batcher";
import { type DeleteStatements, prepareDeletes, SqlDeleter } from "./deleter";
import { SqlCommitLogs, SqlIdentityLog, SqlKeyPackages } from "./identity";
import {
  type IdentityReads,
  type IdentityWrites,
  prepareIdentityReads,
  prepareIdentityWrites,
} from "./identity-statements";
import type { CommitLogs, IdentityLog, KeyPackages } from "./identity-types";
import { SqlReader } from "./reader";
import { prepareReads, type ReadStatements } from "./reader-statements";
import { DEFAULT_RETRY, type RetryHost, type RetryPolicy } from "./retry";
import { diagnose, toStoreError } from "./sql-errors";
import { SqlPool } from "./sql-pool";
import { type DatabaseTarget, describeTarget } from "./target";
import type { Appender, Committed, Deleter, Reader } from "./types";

export interface StoreOptions {
  readonly target: DatabaseTarget;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Most connections for reading. Appending and short questions have two each of their own, so that a storm of
   * scans cannot starve them. Default 4.
   */
  readonly readConnections?: number;
  readonly retry?: RetryPolicy;
  readonly batcher?: BatcherLimits;
  readonly timeouts?: StoreTimeouts;
  /**
   * Whether sessions begin with settings of ours ({@link sessionSettings}). Default true; `false` behind a
   * transaction pooler that refuses them.
   */
  readonly settings?: boolean;
  /** At least 0 and below 1, for the pauses between repetitions. Default `Math.random`. */
  readonly random?: () => number;
}

/** All in milliseconds. */
export interface StoreTimeouts {
  /** How long one attempt to connect may take. */
  readonly connectMs: number;
  /** How long the server may work on a statement before it stops by itself. */
  readonly statementMs: number;
  /** How long an answer may take before its connection counts as dead: above both others together. */
  readonly answerMs: number;
}

const DEFAULT_TIMEOUTS: StoreTimeouts = { connectMs: 5_000, statementMs: 10_000, answerMs: 16_000 };

export interface AppenderOptions {
  /**
   * Called synchronously after each commit, in commit order per kind, before `append` resolves for its messages.
   * A hint: a batch that was stored although its answer was lost is never told.
   */
  readonly onCommitted: (batch: Committed) => void;
}

export interface Store extends AsyncDisposable {
  readonly reader: Reader;
  readonly identities: IdentityLog;
  readonly keyPackages: KeyPackages;
  readonly commitLogs: CommitLogs;
  readonly deleter: Deleter;
  /** One is enough for a process: each has queues of its own. */
  appender(options: AppenderOptions): Appender;
}

/** Batches that share the connection of their kind. */
const APPEND_DEPTH = 2;
const DEFAULT_READ_CONNECTIONS = 4;
/** Connections for short questions, and how many of these share one. */
const QUICK_CONNECTIONS = 2;
const QUICK_DEPTH = 32;
/** One statement at a time gets the counter of a log; the other connection is for key packages, which need none. */
const IDENTITY_CONNECTIONS = 2;
/** Questions that may wait for a connection. */
const MAX_WAITING_READS = 16_384;

/**
 * Opens the store of a migrated database, once it has answered a first question.
 *
 * Disposing of it takes no more messages, stores those it has taken (without repetitions any more), and closes
 * the connections.
 * @throws StoreError `unreachable` when the database is, after repetitions; `incompatible` when it is not migrated.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const store = new SqlStore(options);
  try {
    await store.reader.headIds();
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw toStoreError(error, "the store could not be opened");
  }
  return store;
}

/**
 * What every session of ours begins with.
 *
 * The planner is kept from plans that are right for a small table only: a prepared statement keeps the plan it
 * got while the table was empty until the next ANALYZE. And from compiling plans (jit), which costs more than
 * any of our statements.
 */
export function sessionSettings(statementMs: number): Readonly<Record<string, string>> {
  return {
    statement_timeout: `${statementMs}ms`,
    default_transaction_isolation: "read committed",
    enable_seqscan: "off",
    jit: "off",
  };
}

class SqlStore implements Store {
  readonly reader: Reader;
  readonly identities: IdentityLog;
  readonly keyPackages: KeyPackages;
  readonly commitLogs: CommitLogs;
  readonly deleter: Deleter;
  readonly #options: StoreOptions;
  readonly #retry: RetryHost;
  readonly #reads: SqlPool<ReadStatements>;
  readonly #quickReads: SqlPool<ReadStatements & IdentityReads>;
  readonly #identityWrites: SqlPool<IdentityWrites>;
  readonly #appends: PerKind<SqlPool<AppendStatements>>;
  readonly #deletes: SqlPool<DeleteStatements>;
  readonly #appenders: SqlAppender[] = [];
  readonly #closing = new AbortController();
  #failing = false;

  constructor(options: StoreOptions) {
    const { target, clock, timeouts = DEFAULT_TIMEOUTS } = options;
    const { connectMs, statementMs, answerMs } = timeouts;
    const settings = (options.settings ?? true) ? sessionSettings(statementMs) : {};
    const common = { target, clock, connectMs, answerMs, settings };
    this.#options = options;
    this.#reads = new SqlPool(
      {
        ...common,
        applicationName: "tideline read",
        connections: options.readConnections ?? DEFAULT_READ_CONNECTIONS,
        maxWaiting: MAX_WAITING_READS,
      },
      prepareReads,
    );
    this.#quickReads = new SqlPool(
      {
        ...common,
        applicationName: "tideline query",
        connections: QUICK_CONNECTIONS,
        depth: QUICK_DEPTH,
        maxWaiting: MAX_WAITING_READS,
      },
      (session) => ({ ...prepareReads(session), ...prepareIdentityReads(session) }),
    );
    this.#identityWrites = new SqlPool(
      { ...common, applicationName: "tideline identity", connections: IDENTITY_CONNECTIONS, maxWaiting: 1_024 },
      prepareIdentityWrites,
    );
    const append = {
      ...common,
      applicationName: "tideline append",
      connections: 1,
      depth: APPEND_DEPTH,
      maxWaiting: 64,
    };
    this.#appends = [new SqlPool(append, prepareAppend), new SqlPool(append, prepareAppend)];
    this.#deletes = new SqlPool(
      { ...common, applicationName: "tideline retention", connections: 1, maxWaiting: 16 },
      prepareDeletes,
    );
    this.#retry = {
      clock,
      policy: options.retry ?? DEFAULT_RETRY,
      random: options.random ?? Math.random,
      onFailure: (error) => this.#noteFailure(error),
      onSuccess: () => this.#noteSuccess(),
      signal: this.#closing.signal,
    };
    this.reader = new SqlReader({ pool: this.#reads, quick: this.#quickReads, retry: this.#retry });
    const host = { reads: this.#quickReads, writes: this.#identityWrites, retry: this.#retry, clock };
    this.identities = new SqlIdentityLog(host);
    this.keyPackages = new SqlKeyPackages(host);
    this.commitLogs = new SqlCommitLogs(host);
    this.deleter = new SqlDeleter({ pool: this.#deletes, retry: this.#retry, clock });
  }

  appender({ onCommitted }: AppenderOptions): Appender {
    const { clock, log, batcher: limits = DEFAULT_BATCHER_LIMITS } = this.#options;
    const appender = new SqlAppender({ pools: this.#appends, retry: this.#retry, clock, log, limits, onCommitted });
    this.#appenders.push(appender);
    return appender;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#appenders.map((appender) => appender.close()));
    const pools = [...this.#appends, this.#reads, this.#quickReads, this.#identityWrites, this.#deletes];
    await Promise.all(pools.map((pool) => pool[Symbol.asyncDispose]()));
  }

  /** One line when trouble begins and one when it is over, however many statements it meets. */
  #noteFailure(error: unknown): void {
    if (this.#failing || diagnose(error).remedy === "none") return;
    this.#failing = true;
    const { message } = toStoreError(error, "a statement failed");
    this.#options.log.warn("store in trouble", { database: describeTarget(this.#options.target), reason: message });
  }

  #noteSuccess(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#options.log.info("store answers again");
  }
}
