/** Which database, and how both drivers are told so. */

import type { SQL } from "bun";
import type { Options, PostgresType } from "postgres";

/** Whether the connection is encrypted, and what of the server's certificate is checked; the meaning of libpq's `sslmode`. */
const TLS_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
export type TlsMode = (typeof TLS_MODES)[number];

/** Where a server listens: a unix socket `<directory>/.s.PGSQL.<port>`, or a host (name or address). */
export type DatabaseAddress =
  | { readonly kind: "socket"; readonly directory: string; readonly port: number }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** One database of one server. Nothing here is ever logged but what {@link describeTarget} gives. */
export interface DatabaseTarget {
  readonly address: DatabaseAddress;
  readonly user: string;
  /** Empty: none is sent. */
  readonly password: string;
  readonly database: string;
  /** Has no effect on a unix socket. */
  readonly tls: TlsMode;
  /** A PEM file with the authorities that may have signed the server's certificate; without it, the system's. */
  readonly rootCertificate: string | undefined;
}

/** How a pool is to be opened. */
export interface PoolOptions {
  /** Most connections at once. */
  readonly connections: number;
  /** How the sessions are named in `pg_stat_activity`. */
  readonly applicationName: string;
  /** How long one attempt to connect may take, in milliseconds. Default 10 000. */
  readonly connectMs?: number;
  /** Settings of every session, as `{ statement_timeout: "5s" }`. A transaction pooler may refuse them. */
  readonly settings?: Readonly<Record<string, string>>;
}

const DEFAULT_PORT = 5432;
const DEFAULT_CONNECT_MS = 10_000;
/** What may stand behind the `?` of a database URL. */
const PARAMETERS = ["host", "port", "user", "password", "dbname", "sslmode", "sslrootcert"] as const;
type Parameter = (typeof PARAMETERS)[number];

/**
 * Reads a database URL: `postgres://user:password@host:port/database?sslmode=require`, or with a unix socket
 * `postgres://user@/database?host=/var/run/postgresql`. What stands behind the `?` wins, as with libpq.
 * @throws RangeError that says what was wanted and never repeats the URL, which may hold a password.
 */
export function parseTarget(databaseUrl: string): DatabaseTarget {
  const url = parseUrl(databaseUrl);
  const parameters = readParameters(url.searchParams);
  const host = parameters.get("host") ?? decode(url.hostname, "the host");
  const port = readPort(parameters.get("port") ?? url.port);
  const user = parameters.get("user") ?? decode(url.username, "the user");
  if (user === "") throw new RangeError("the database URL names no user; expected postgres://user@host/database");
  const database = parameters.get("dbname") ?? decode(url.pathname.slice(1), "the database name");
  return {
    address: readAddress(host, port),
    user,
    password: parameters.get("password") ?? decode(url.password, "the password"),
    database: database === "" ? user : database,
    tls: readTlsMode(parameters.get("sslmode")),
    rootCertificate: parameters.get("sslrootcert"),
  };
}

/** Where a target is, for logs and messages: no password in it. */
export function describeTarget(target: DatabaseTarget): string {
  const { address, database } = target;
  if (address.kind === "socket") return `${database} at ${address.directory}`;
  return `${database} at ${address.host}:${address.port}`;
}

/** The target as a URL that {@link parseTarget} reads back, password included. */
export function targetUrl(target: DatabaseTarget): string {
  const { address } = target;
  const password = target.password === "" ? "" : `:${encodeURIComponent(target.password)}`;
  const host = address.kind === "tcp" ? `${urlHost(address.host)}:${address.port}` : "";
  const query = new URLSearchParams();
  if (address.kind === "socket") {
    query.set("host", address.directory);
    query.set("port", `${address.port}`);
  }
  query.set("sslmode", target.tls);
  if (target.rootCertificate !== undefined) query.set("sslrootcert", target.rootCertificate);
  return `postgres://${encodeURIComponent(target.user)}${password}@${host}/${encodeURIComponent(target.database)}?${query}`;
}

/** An IPv6 address stands in brackets in a URL. */
function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Options for `new SQL(…)` of Bun: prepared statements, `int8` as bigint.
 *
 * Every field is given, empty ones too: Bun takes what is missing from DATABASE_URL and the like.
 */
export function bunSqlOptions(target: DatabaseTarget, pool: PoolOptions): SQL.PostgresOrMySQLOptions {
  const { address } = target;
  return {
    adapter: "postgres",
    hostname: address.kind === "tcp" ? address.host : address.directory,
    port: address.port,
    username: target.user,
    password: target.password,
    database: target.database,
    tls: address.kind === "tcp" ? bunTls(target) : "disable",
    ...(address.kind === "socket" ? { path: `${address.directory}/.s.PGSQL.${address.port}` } : {}),
    max: pool.connections,
    bigint: true,
    prepare: true,
    connectionTimeout: (pool.connectMs ?? DEFAULT_CONNECT_MS) / 1_000,
    connection: { application_name: pool.applicationName, ...pool.settings },
  };
}

/**
 * Options for `postgres(…)`: prepared statements, `int8` as bigint, no notices on the console.
 */
export function postgresJsOptions(
  target: DatabaseTarget,
  pool: PoolOptions,
): Options<{ bigint: PostgresType<bigint> }> {
  const { address } = target;
  return {
    host: address.kind === "tcp" ? address.host : address.directory,
    port: address.port,
    username: target.user,
    password: target.password,
    database: target.database,
    ssl: address.kind === "tcp" ? postgresJsTls(target) : false,
    max: pool.connections,
    prepare: true,
    fetch_types: false,
    connect_timeout: (pool.connectMs ?? DEFAULT_CONNECT_MS) / 1_000,
    connection: { application_name: pool.applicationName, ...pool.settings },
    onnotice: () => {},
    types: { bigint: BIGINT },
  };
}

/** `int8` of Postgres (type 20) as bigint. */
const BIGINT: PostgresType<bigint> = {
  to: 20,
  from: [20],
  serialize: (value: bigint) => `${value}`,
  parse: (text: string) => BigInt(text),
};

/** Any name will do for `require`: only the certificate's signature may be asked for by `verify-ca`. */
const anyName = () => undefined;

function bunTls(target: DatabaseTarget): NonNullable<SQL.PostgresOrMySQLOptions["tls"]> {
  const { tls, rootCertificate } = target;
  if (rootCertificate === undefined) return tls;
  const ca = Bun.file(rootCertificate);
  switch (tls) {
    case "disable":
    case "prefer":
      return tls;
    case "require":
    case "verify-ca":
      return { ca, checkServerIdentity: anyName };
    case "verify-full":
      return { ca };
    default:
      return tls satisfies never;
  }
}

function postgresJsTls(target: DatabaseTarget): NonNullable<Options<Record<string, PostgresType>>["ssl"]> {
  const { tls, rootCertificate } = target;
  const ca = rootCertificate === undefined ? {} : { ca: Bun.file(rootCertificate) };
  switch (tls) {
    case "disable":
      return false;
    case "prefer":
      return "prefer";
    case "require":
      // As with libpq: naming an authority means that it is to be checked.
      return rootCertificate === undefined ? "require" : { ...ca, checkServerIdentity: anyName };
    case "verify-ca":
      return { ...ca, checkServerIdentity: anyName };
    case "verify-full":
      return { ...ca };
    default:
      return tls satisfies never;
  }
}

function parseUrl(text: string): URL {
  // A URL cannot have a user without a host; libpq's form with an empty host stands for a unix socket.
  const withHost = text.replace(/^(postgres(?:ql)?:\/\/[^/?#]*@)(?=[/?#]|$)/, "$1localhost");
  const url = URL.parse(withHost);
  if (url === null || !["postgres:", "postgresql:"].includes(url.protocol)) {
    throw new RangeError(
      "the database URL cannot be read; expected postgres://user:password@host:port/database, special characters percent-encoded, one host",
    );
  }
  return url;
}

function readParameters(search: URLSearchParams): ReadonlyMap<Parameter, string> {
  const parameters = new Map<Parameter, string>();
  for (const [name, value] of search) {
    if (!isParameter(name)) {
      throw new RangeError(
        `the database URL has a parameter that is not known here: ${name}; known are ${PARAMETERS.join(", ")}`,
      );
    }
    parameters.set(name, value);
  }
  return parameters;
}

function isParameter(name: string): name is Parameter {
  return PARAMETERS.some((known) => known === name);
}

function readAddress(host: string, port: number): DatabaseAddress {
  if (host.startsWith("/")) return { kind: "socket", directory: host, port };
  if (host === "") throw new RangeError("the database URL names no host");
  // The brackets of an IPv6 address belong to the URL, not to the address.
  return { kind: "tcp", host: host.replace(/^\[(.*)\]$/, "$1"), port };
}

function readPort(text: string): number {
  if (text === "") return DEFAULT_PORT;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError("the database URL has a port that is no number from 1 to 65535");
  }
  return port;
}

function readTlsMode(text: string | undefined): TlsMode {
  const mode = TLS_MODES.find((known) => known === (text ?? "prefer"));
  if (mode === undefined)
    throw new RangeError(`the database URL has an unknown sslmode; known are ${TLS_MODES.join(", ")}`);
  return mode;
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError(`the database URL has ${what} badly percent-encoded`);
  }
}
