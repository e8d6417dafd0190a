/**
 * The physical reference: rows of the same size put into a table with the same columns and indexes of the same
 * database, so many in one statement as there are callers, one statement after the other, each committed.
 */

import { parseArgs } from "node:util";
import { parseTarget } from "../../../src/store/target";
import { openSql } from "../support/database";

const { values } = parseArgs({
  options: {
    databaseUrl: { type: "string", default: "" },
    callers: { type: "string", default: "64" },
    bytes: { type: "string", default: "1024" },
    seconds: { type: "string", default: "1" },
  },
});
const rows = Number(values.callers);
const bytes = Number(values.bytes);
const bounds = `{${Array.from({ length: rows + 1 }, (_, i) => i * bytes).join(",")}}`;

await using sql = openSql(parseTarget(values.databaseUrl));
await sql`CREATE TABLE IF NOT EXISTS bench_scratch (LIKE messages INCLUDING ALL)`;
await sql`TRUNCATE bench_scratch`;

let stored = 0;
const started = performance.now();
const end = started + Number(values.seconds) * 1_000;
while (performance.now() < end) {
  const bodies = Buffer.alloc(rows * bytes);
  const keys = crypto.getRandomValues(Buffer.alloc(rows * 32));
  await sql`
    INSERT INTO bench_scratch (id, created_ns, kind, arm, topic, digest, body)
    SELECT ${stored}::bigint + nth, 0, 0, 1,
      '\\x00'::bytea || substring(${keys}::bytea FROM nth * 32 - 31 FOR 16),
      substring(${keys}::bytea FROM nth * 32 - 31 FOR 32),
      blob_part(${bodies}::bytea, ${bounds}::int4[], nth)
    FROM generate_series(1, ${rows}::int) AS nth`;
  stored += rows;
}
const perSecond = (stored / (performance.now() - started)) * 1_000;
await sql`TRUNCATE bench_scratch`;
console.log(JSON.stringify({ perSecond }));
process.exit(0);
