/** The physical reference: the bare SELECT of the newest message of a topic, by the driver, over a node's number of connections. */

import { parseArgs } from "node:util";
import { parseTarget } from "../../../src/store/target";
import { runCallers } from "../support/callers";
import { openSql } from "../support/database";
import { meterTargets } from "../support/meter";

const { values } = parseArgs({
  options: {
    databaseUrl: { type: "string", default: "" },
    postmaster: { type: "string", default: "" },
    callers: { type: "string", default: "64" },
    warmupCalls: { type: "string", default: "20000" },
    seconds: { type: "string", default: "1" },
  },
});
const CONNECTIONS = 6;

await using sql = openSql(parseTarget(values.databaseUrl), CONNECTIONS);
await sql`SET enable_seqscan = off`;
const newest = await sql`SELECT topic, max(id) AS id FROM messages WHERE kind = 0 GROUP BY topic LIMIT 1000`;
const calls = await runCallers(
  {
    callers: Number(values.callers),
    warmupCalls: Number(values.warmupCalls),
    measureMs: Number(values.seconds) * 1_000,
    meter: meterTargets({ ...values, pid: `${process.pid}` }),
  },
  async (caller) => {
    const { topic, id } = newest[caller % newest.length];
    const rows = await sql`
      SELECT id, created_ns, arm, body FROM messages WHERE topic = ${topic} AND id > ${id - 1n} ORDER BY id LIMIT 100`;
    if (rows.length !== 1) throw new Error(`a SELECT found ${rows.length} rows instead of 1`);
  },
);
console.log(JSON.stringify(calls));
process.exit(0);
