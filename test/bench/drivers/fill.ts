/** The rows that the drivers read. */

import { type Topic, topicOf } from "../../../src/core/topic";
import type { Connection } from "./connections";

export const FILLED_ROWS = 100_000;
export const FILLED_TOPICS = 10_000;

/** Fills the group messages: bodies of 500 B, topics in turn. */
export async function fill({ run }: Connection): Promise<void> {
  const say = (sql: string) => run({ sql, params: [] }, {});
  await say(
    `INSERT INTO messages (id, created_ns, kind, arm, topic, digest, body)
      SELECT id, id, 0, 1, '\\x00'::bytea || sha256(int8send(id % ${FILLED_TOPICS})), sha256(int8send(id)),
        decode(repeat('5a', 500), 'hex')
      FROM generate_series(1, ${FILLED_ROWS}) AS id`,
  );
  await say(`UPDATE sequences SET last = ${FILLED_ROWS} WHERE kind = 0`);
  await say("VACUUM ANALYZE messages");
}

export function filledTopic(nth: number): Topic {
  const number = Buffer.alloc(8);
  number.writeBigInt64BE(BigInt(nth));
  return topicOf(0, new Bun.CryptoHasher("sha256").update(number).digest());
}
