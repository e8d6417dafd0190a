import type { DatabaseTarget } from "../../../src/store/target";
import { openSql } from "./database";

/** How long a durable transaction takes that does nothing else, one after the other, each in milliseconds. */
export async function emptyTransactionsMs(target: DatabaseTarget, count: number): Promise<readonly number[]> {
  await using sql = openSql(target);
  const ms: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    await sql`select pg_logical_emit_message(true, 'tideline', 'nothing')`;
    ms.push(performance.now() - started);
  }
  return ms;
}
