/**
 * What a driver's errors mean to us, and how they leave the store.
 *
 * Drivers and Drizzle put query parameters into messages, details and contexts of their errors, and those are
 * payloads and topics. So nothing of theirs leaves but what {@link DriverError} copies.
 */

import { DrizzleQueryError } from "drizzle-orm";
import { StoreError, type StoreFault } from "./error";

/** What can be done about a failed statement. */
export type Remedy =
  /** The same statement may succeed if it is sent again. */
  | "repeat"
  /** As `repeat`, but not on this connection: it is lost, or leads to the wrong server. */
  | "reconnect"
  /** It would fail again. */
  | "none";

export interface Diagnosis {
  readonly remedy: Remedy;
  /** What the caller is told if the remedy does not help. */
  readonly fault: StoreFault;
}

/** The database did not answer in time, and its connection was given up. Whether the statement ran is unknown. */
export class AnswerOverdue extends Error {
  constructor(answerMs: number) {
    super(`the database did not answer within ${answerMs} ms`);
    this.name = "AnswerOverdue";
  }
}

/** What may be known of a driver's error outside of the store: nothing in it comes from a query's parameters. */
class DriverError extends Error {
  /** The five characters by which Postgres classifies the error; `undefined` if it is not the server's. */
  readonly sqlState: string | undefined;
  /** The driver's own word for it, as `ERR_POSTGRES_CONNECTION_CLOSED`. */
  readonly code: string | undefined;
  /** The constraint, table or server function that was in the way. */
  readonly where: string | undefined;
  constructor(message: string, facts: { sqlState?: string; code?: string; where?: string }) {
    super(message);
    this.name = "DriverError";
    this.sqlState = facts.sqlState;
    this.code = facts.code;
    this.where = facts.where;
  }
}

const REPEAT: Diagnosis = { remedy: "repeat", fault: "unreachable" };
const RECONNECT: Diagnosis = { remedy: "reconnect", fault: "unreachable" };
const REFUSED: Diagnosis = { remedy: "none", fault: "refused" };
const INCOMPATIBLE: Diagnosis = { remedy: "none", fault: "incompatible" };
const NO_ENTRY: Diagnosis = { remedy: "none", fault: "unreachable" };

/** By SQLSTATE or, where its first two characters say enough, by its class. The whole state wins. */
const BY_STATE: Readonly<Record<string, Diagnosis>> = {
  "08": RECONNECT, // connection lost
  "0A000": { remedy: "reconnect", fault: "incompatible" }, // a prepared plan's result changed under it
  "25": RECONNECT, // 25006: a primary that became a standby
  "26": RECONNECT, // a prepared statement that another server process was to know
  "28": NO_ENTRY, // password, user, pg_hba
  "3D": NO_ENTRY, // no such database
  "3F": INCOMPATIBLE, // no such schema
  "40": REPEAT, // serialization, deadlock
  "42": INCOMPATIBLE, // no such table, column, function, right
  "42P05": RECONNECT, // a prepared statement that exists already
  "53": REPEAT, // too many connections, out of memory or disk
  "55": REPEAT, // lock not available, object in use
  "57": RECONNECT, // shutdown, crash of another process, starting up
  "57014": REPEAT, // statement_timeout
  "57P04": NO_ENTRY, // the database was dropped
  "58": REPEAT, // input or output error
};

/** Classes whose messages name objects and settings, never data. */
const TELLABLE = new Set(["08", "25", "26", "28", "3D", "3F", "40", "42", "53", "55", "57", "58"]);

/** Codes of Bun.sql, postgres.js and the socket for a connection that failed or was lost. */
const LOST =
  /CONN|CLOSED|TIMEOUT|^E(PIPE|NOENT|NOTFOUND|HOSTUNREACH|NETUNREACH|AI_AGAIN)|UNEXPECTED_MESSAGE|COMMIT_ROLLED_BACK/;

/** A SQLSTATE has a digit; EPIPE has none. */
const SQL_STATE = /^(?=.*[0-9])[0-9A-Z]{5}$/;

/** What an error means. Whatever is not recognised is `refused`: it is not worth a repetition. */
export function diagnose(error: unknown): Diagnosis {
  if (error instanceof StoreError) return { remedy: "none", fault: error.fault };
  if (error instanceof AnswerOverdue) return RECONNECT;
  const source = sourceOf(error);
  const sqlState = sqlStateOf(source);
  if (sqlState !== undefined) return BY_STATE[sqlState] ?? BY_STATE[sqlState.slice(0, 2)] ?? REFUSED;
  const code = text(source, "code");
  return code !== undefined && LOST.test(code) ? RECONNECT : REFUSED;
}

/**
 * The error as it may leave the store.
 * @param what was being done, as in "messages could not be stored".
 */
export function toStoreError(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const cause = error instanceof AnswerOverdue ? error : toDriverError(sourceOf(error));
  return new StoreError(diagnose(error).fault, `${what}: ${cause.message}`, cause);
}

function toDriverError(source: unknown): DriverError {
  const sqlState = sqlStateOf(source);
  const code = text(source, "code");
  const where = text(source, "constraint") ?? text(source, "constraint_name") ?? text(source, "routine");
  const facts = {
    ...(sqlState === undefined ? {} : { sqlState }),
    ...(code === undefined ? {} : { code }),
    ...(where === undefined ? {} : { where }),
  };
  const error = new DriverError(describe(source, facts), facts);
  // Where it came from, without the message that stands above the frames.
  const frames = text(source, "stack")
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line));
  if (frames !== undefined) error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
  return error;
}

function describe(source: unknown, facts: { sqlState?: string; code?: string; where?: string }): string {
  const { sqlState, code, where } = facts;
  const message = text(source, "message");
  if (sqlState !== undefined) {
    const told = TELLABLE.has(sqlState.slice(0, 2)) && message !== undefined ? `: ${message}` : "";
    return `the database answered SQLSTATE ${sqlState}${where === undefined ? "" : ` (${where})`}${told}`;
  }
  if (code !== undefined && LOST.test(code)) return `no connection to the database (${code})`;
  return `the database driver failed (${code ?? text(source, "name") ?? typeof source})`;
}

/** The error below Drizzle's wrapping. */
function sourceOf(error: unknown): unknown {
  return error instanceof DrizzleQueryError && error.cause !== undefined ? error.cause : error;
}

/** Bun.sql has the SQLSTATE in `errno`, postgres.js in `code`. */
function sqlStateOf(source: unknown): string | undefined {
  return [text(source, "errno"), text(source, "code")].find((value) => value !== undefined && SQL_STATE.test(value));
}

/** A property of an error, if it is a string. */
function text(source: unknown, name: string): string | undefined {
  if (typeof source !== "object" || source === null) return undefined;
  const value: unknown = Reflect.get(source, name);
  return typeof value === "string" ? value : undefined;
}
