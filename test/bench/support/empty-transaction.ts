import postgres from "postgres";

/**
 * How long a durable transaction takes that does nothing else, one after the other, each in milliseconds.
 * @param databaseDir directory of the unix socket of a node's embedded database
 */
export async function emptyTransactionsMs(databaseDir: string, count: number): Promise<readonly number[]> {
  const sql = postgres({ host: databaseDir, port: 5432, user: "postgres", database: "postgres", max: 1 });
  const ms: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    await sql`select pg_logical_emit_message(true, 'tideline', 'nothing')`;
    ms.push(performance.now() - started);
  }
  await sql.end();
  return ms;
}
