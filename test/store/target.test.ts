import { describe, expect, test } from "bun:test";
import { bunSqlOptions, describeTarget, parseTarget, postgresJsOptions, targetUrl } from "../../src/store/target";

const POOL = { connections: 3, applicationName: "test" };

describe("a database URL", () => {
  test("names host, port, user, password and database", () => {
    expect(parseTarget("postgres://ann:s3cret@db.example:6432/things")).toEqual({
      address: { kind: "tcp", host: "db.example", port: 6432 },
      user: "ann",
      password: "s3cret",
      database: "things",
      tls: "prefer",
      rootCertificate: undefined,
    });
  });

  test("needs no more than a user and a host", () => {
    expect(parseTarget("postgresql://ann@db")).toMatchObject({
      address: { kind: "tcp", host: "db", port: 5432 },
      password: "",
      database: "ann",
    });
  });

  test("may name a unix socket, in both of libpq's ways", () => {
    const address = { kind: "socket", directory: "/var/run/postgresql", port: 5433 } as const;
    expect(parseTarget("postgres://ann@/things?host=/var/run/postgresql&port=5433")).toMatchObject({ address });
    expect(parseTarget("postgres://ann@%2Fvar%2Frun%2Fpostgresql:5433/things")).toMatchObject({ address });
  });

  test("may name an IPv6 address, and may have anything percent-encoded", () => {
    expect(parseTarget("postgres://a%40b:p%3A%2F@[::1]:1/d%20b?sslmode=disable")).toMatchObject({
      address: { kind: "tcp", host: "::1", port: 1 },
      user: "a@b",
      password: "p:/",
      database: "d b",
      tls: "disable",
    });
  });

  test("is written as it is read", () => {
    for (const url of [
      "postgres://a%40b:p%3A%2F@[::1]:1/d%20b?sslmode=verify-full&sslrootcert=%2Fca.pem",
      "postgres://ann@/things?host=%2Frun&port=5433&sslmode=prefer",
    ]) {
      expect(parseTarget(targetUrl(parseTarget(url)))).toEqual(parseTarget(url));
    }
  });

  test("is refused with words that do not repeat it", () => {
    const wrong: Readonly<Record<string, string>> = {
      "mysql://ann:s3cret@db/things": "cannot be read",
      "ann:s3cret@db": "cannot be read",
      "postgres://ann:s3cret@db:x/things": "cannot be read",
      "postgres://db/things": "names no user",
      "postgres://ann:s3cret@db/things?port=70000": "from 1 to 65535",
      "postgres://ann:s3cret@db/things?sslmode=maybe": "known are disable, prefer, require",
      "postgres://ann:s3cret@db/things?sslmodus=require": "not known here: sslmodus",
      "postgres://ann:s3cret%@db/things": "badly percent-encoded",
      "postgres://ann:s3cret@one,two/things?host=": "names no host",
    };
    for (const [url, words] of Object.entries(wrong)) {
      const read = () => parseTarget(url);
      expect(read, url).toThrow(RangeError);
      expect(read, url).toThrow(words);
      expect(read, url).not.toThrow("s3cret");
    }
  });

  test("is described without its password", () => {
    expect(describeTarget(parseTarget("postgres://ann:s3cret@db/things"))).toBe("things at db:5432");
    expect(describeTarget(parseTarget("postgres://ann:s3cret@/things?host=/run"))).toBe("things at /run");
  });
});

describe("the drivers' options", () => {
  test("leave nothing to be guessed from the environment", () => {
    const options = bunSqlOptions(parseTarget("postgres://ann@db/things"), POOL);
    expect(options).toMatchObject({ hostname: "db", port: 5432, username: "ann", password: "", database: "things" });
    expect(options).toMatchObject({ tls: "prefer", max: 3, bigint: true, connectionTimeout: 10 });
  });

  test("carry the session's settings", () => {
    const target = parseTarget("postgres://ann@db/things");
    const pool = { ...POOL, settings: { statement_timeout: "5s" } };
    const connection = { application_name: "test", statement_timeout: "5s" };
    expect(bunSqlOptions(target, pool)).toMatchObject({ connection });
    expect(postgresJsOptions(target, pool)).toMatchObject({ connection });
  });

  test("check of a certificate what sslmode asks for", () => {
    const modes: Readonly<Record<string, readonly [unknown, unknown]>> = {
      "sslmode=disable": ["disable", false],
      "sslmode=prefer": ["prefer", "prefer"],
      "sslmode=require": ["require", "require"],
      "sslmode=verify-ca": ["verify-ca", { checkServerIdentity: expect.any(Function) }],
      "sslmode=verify-full": ["verify-full", {}],
      "sslmode=require&sslrootcert=/ca": [
        { ca: expect.anything(), checkServerIdentity: expect.any(Function) },
        { ca: expect.anything(), checkServerIdentity: expect.any(Function) },
      ],
      "sslmode=verify-full&sslrootcert=/ca": [{ ca: expect.anything() }, { ca: expect.anything() }],
    };
    for (const [query, [bun, postgresJs]] of Object.entries(modes)) {
      const target = parseTarget(`postgres://ann@db/things?${query}`);
      expect<unknown>(bunSqlOptions(target, POOL)).toHaveProperty("tls", bun);
      expect<unknown>(postgresJsOptions(target, POOL)).toHaveProperty("ssl", postgresJs);
    }
  });

  test("use no TLS on a unix socket, whatever the URL says", () => {
    const target = parseTarget("postgres://ann@/things?host=/run&sslmode=require");
    expect(bunSqlOptions(target, POOL)).toMatchObject({ tls: "disable", path: "/run/.s.PGSQL.5432" });
    expect(postgresJsOptions(target, POOL)).toMatchObject({ ssl: false, host: "/run", port: 5432 });
  });
});
