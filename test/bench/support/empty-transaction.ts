import type { DatabaseTarget } from "../../../src/store/target";
import { openSql } from "./database";

export interface Pace {
  /** As many as that, if they can be done one after the other: a machine that may rest between two is slower with each. */
  readonly perSecond: number;
  readonly seconds: number;
}

/** How long a durable transaction takes that does nothing else, in milliseconds, of each that was made. */
export async function emptyTransactionsMs(target: DatabaseTarget, pace: Pace): Promise<readonly number[]> {
  await using sql = openSql(target);
  const ms: number[] = [];
  const began = performance.now();
  for (let now = began; now < began + pace.seconds * 1_000; now = performance.now()) {
    const dueInMs = began + (ms.length * 1_000) / pace.perSecond - now;
    if (dueInMs > 0) {
      await Bun.sleep(dueInMs);
      continue;
    }
    await sql`select pg_logical_emit_message(true, 'tideline', 'nothing')`;
    ms.push(performance.now() - now);
  }
  return ms;
}
