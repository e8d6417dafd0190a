/**
 * The physical reference: the same rows by COPY in binary form, read out of the same database by a process that does
 * nothing with them.
 */

import { parseArgs } from "node:util";
import postgres from "postgres";
import { postgresJsOptions } from "../../../src/store/target";
import { embeddedTarget } from "../support/database";

const { values } = parseArgs({
  options: {
    /** Directory of its unix socket. */
    database: { type: "string", default: "" },
    /** Ids in (above, to]. */
    above: { type: "string", default: "0" },
    to: { type: "string", default: "0" },
  },
});
const target = embeddedTarget(values.database);
const sql = postgres(postgresJsOptions(target, { connections: 1, applicationName: "tideline bench" }));
await sql`SELECT 1`;
const [above, to] = [Number(values.above), Number(values.to)];
const started = performance.now();
const rows = await sql
  .unsafe(
    `COPY (SELECT id, created_ns, arm, topic, body FROM messages WHERE kind = 0 AND id > ${above} AND id <= ${to} ORDER BY id)
   TO STDOUT (FORMAT binary)`,
  )
  .readable();
let bytes = 0;
for await (const chunk of rows) bytes += chunk.length;
const ms = performance.now() - started;
await sql.end();
console.log(JSON.stringify({ messagesPerSecond: ((to - above) / ms) * 1_000, bytes }));
