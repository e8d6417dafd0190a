/** A bounded pool of connections that cannot be held up for ever by a database that stopped answering. */

import { SQL } from "bun";
import { fillPlaceholders } from "drizzle-orm";
import { drizzle } from "drizzle-orm/bun-sql";
import type { Clock } from "../base/clock";
import { StoreError } from "./error";
import type { SqlSession } from "./schema";
import { AnswerOverdue, diagnose } from "./sql-errors";
import { bunSqlOptions, type DatabaseTarget } from "./target";

export interface SqlPoolOptions {
  readonly target: DatabaseTarget;
  readonly clock: Clock;
  /** How the sessions are named in `pg_stat_activity`. */
  readonly applicationName: string;
  /** Most connections at once. They are opened when needed, and kept. */
  readonly connections: number;
  /**
   * How many calls of `run` share a connection. Default 1. With more, a statement is sent before those ahead of it
   * are answered: a fraction of the cost for all of them, and the wait for the slowest of them.
   */
  readonly depth?: number;
  /** Most calls of `run` that may wait for a connection. */
  readonly maxWaiting: number;
  /** How long one attempt to connect may take, in milliseconds. */
  readonly connectMs: number;
  /**
   * How long the work of one `run` may take, connecting included, in milliseconds. Then its connection is given
   * up, for one that is open but dead shows itself in no other way.
   */
  readonly answerMs: number;
  /** Settings of every session. Empty behind a transaction pooler that refuses them. */
  readonly settings: Readonly<Record<string, string>>;
}

/** One connection with its prepared statements. */
interface Connection<Statements> {
  readonly sql: SQL;
  readonly statements: Statements;
  /** Calls of `run` that are on it. */
  running: number;
}

interface Waiter<Statements> {
  readonly resolve: (connection: Connection<Statements>) => void;
  readonly reject: (error: StoreError) => void;
}

/**
 * Hands out connections in the order asked for: each to one at a time, or to as many as share one.
 *
 * The driver's own pool is used with one connection each, because it would send a statement behind another one
 * on the same connection, however slow that is, though others are idle.
 */
export class SqlPool<Statements> implements AsyncDisposable {
  readonly #options: SqlPoolOptions;
  readonly #prepare: (session: SqlSession) => Statements;
  readonly #connections = new Set<Connection<Statements>>();
  readonly #waiting: Waiter<Statements>[] = [];
  #closed = false;

  /** @param prepare makes the statements of a new connection; the server prepares each when it is first used. */
  constructor(options: SqlPoolOptions, prepare: (session: SqlSession) => Statements) {
    this.#options = options;
    this.#prepare = prepare;
  }

  /**
   * Does `work` with a connection of its own.
   * @throws whatever `work` throws (the driver's errors, parameters included); AnswerOverdue when it takes too
   *   long; StoreError `full` when too many wait for a connection, `unreachable` when the pool is closed.
   */
  async run<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    const connection = await this.#acquire();
    try {
      return await this.#inTime(connection, work(connection.statements));
    } catch (error) {
      if (diagnose(error).remedy === "reconnect") this.#discard(connection);
      throw error;
    } finally {
      this.#release(connection);
    }
  }

  /** Fails what waits, lets what runs finish for up to a second, then closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(closedError());
    await Promise.all([...this.#connections].map((connection) => connection.sql.close({ timeout: 1 })));
    this.#connections.clear();
  }

  #acquire(): Promise<Connection<Statements>> {
    if (this.#closed) return Promise.reject(closedError());
    const connection = this.#take();
    if (connection !== undefined) return Promise.resolve(connection);
    const { maxWaiting } = this.#options;
    if (this.#waiting.length >= maxWaiting) {
      return Promise.reject(
        new StoreError(
          "full",
          `the database is busy: ${maxWaiting} questions wait for it, which is the most allowed; try again shortly`,
        ),
      );
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** A place on the connection that has most room, if there is any; a new one rather than one that is shared. */
  #take(): Connection<Statements> | undefined {
    const { connections, depth = 1 } = this.#options;
    let best: Connection<Statements> | undefined;
    for (const connection of this.#connections) if (connection.running < (best?.running ?? depth)) best = connection;
    if (best?.running !== 0 && this.#connections.size < connections) best = this.#connect();
    if (best !== undefined) best.running += 1;
    return best;
  }

  #connect(): Connection<Statements> {
    const { target, applicationName, connectMs, settings } = this.#options;
    const sql = new SQL(bunSqlOptions(target, { connections: 1, applicationName, connectMs, settings }));
    const connection = { sql, statements: this.#prepare(sessionOf(sql)), running: 0 };
    this.#connections.add(connection);
    return connection;
  }

  #release(connection: Connection<Statements>): void {
    connection.running -= 1;
    if (this.#closed || this.#waiting.length === 0) return;
    const next = this.#take();
    if (next !== undefined) this.#waiting.shift()?.resolve(next);
  }

  #discard(connection: Connection<Statements>): void {
    if (!this.#connections.delete(connection)) return;
    // Nothing is to be waited for: whatever still runs on it has failed already.
    connection.sql.close({ timeout: 0 }).catch(() => {});
  }

  #inTime<T>(connection: Connection<Statements>, work: Promise<T>): Promise<T> {
    const { clock, answerMs } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = clock.after(answerMs, () => {
        this.#discard(connection);
        reject(new AnswerOverdue(answerMs));
      });
      work.then(
        (answer) => {
          timer[Symbol.dispose]();
          resolve(answer);
        },
        (error) => {
          timer[Symbol.dispose]();
          reject(error);
        },
      );
    });
  }
}

function sessionOf(sql: SQL): SqlSession {
  return {
    database: drizzle(sql),
    run: ({ sql: text, params }, values) => sql.unsafe(text, fillPlaceholders(params, values)).values(),
  };
}

function closedError(): StoreError {
  return new StoreError("unreachable", "the store is closed");
}
