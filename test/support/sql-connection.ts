import { SQL } from "bun";
import { bunSqlOptions, type DatabaseTarget } from "../../src/store/target";

/** A connection of a test's own to a database, to be closed. `name`: what `pg_stat_activity` calls it. */
export function connectSql(target: DatabaseTarget, name = "test"): SQL {
  return new SQL(bunSqlOptions(target, { connections: 1, applicationName: name }));
}
