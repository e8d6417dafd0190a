/** The two drivers under Drizzle, each with one connection. */

import { SQL } from "bun";
import { fillPlaceholders } from "drizzle-orm";
import { drizzle as drizzleBun } from "drizzle-orm/bun-sql";
import { drizzle as drizzlePostgresJs } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import type { SqlSession } from "../../../src/store/schema";
import { sessionSettings } from "../../../src/store/store";
import { bunSqlOptions, type DatabaseTarget, postgresJsOptions } from "../../../src/store/target";

export const DRIVERS = ["Bun.sql", "postgres.js"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** A session of one connection, closed with `await using`. */
export interface Connection extends SqlSession, AsyncDisposable {}

export function connect(driver: DriverName, target: DatabaseTarget): Connection {
  const pool = { connections: 1, applicationName: "bench", settings: sessionSettings(60_000) };
  switch (driver) {
    case "Bun.sql": {
      const sql = new SQL(bunSqlOptions(target, pool));
      return {
        database: drizzleBun(sql),
        run: ({ sql: text, params }, values) => sql.unsafe(text, fillPlaceholders(params, values)).values(),
        [Symbol.asyncDispose]: () => sql.close(),
      };
    }
    case "postgres.js": {
      const sql = postgres(postgresJsOptions(target, pool));
      return {
        database: drizzlePostgresJs(sql),
        // Through Reflect, because postgres.js declares its rows as something that no other row type fits.
        run: ({ sql: text, params }, values) =>
          Reflect.apply(sql.unsafe, sql, [text, fillPlaceholders(params, values), { prepare: true }]).values(),
        [Symbol.asyncDispose]: () => sql.end(),
      };
    }
    default:
      return driver satisfies never;
  }
}
