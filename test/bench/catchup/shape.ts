/** What a filled store holds, by arithmetic: so that a load client knows every id it must get without asking. */

import { type BenchDatabase, prefill, prefilledGroup } from "../support/database";

/**
 * Ids 1 to `big` are of topic 0. Ids above them go round the topics 1 to `topics`, `spread` messages in all.
 * All are group messages of one size.
 */
export interface StoreShape {
  readonly big: number;
  readonly topics: number;
  /** A multiple of `topics`: every topic has as many. */
  readonly spread: number;
  /** Bytes of each message's payload, 128 to 16 383. */
  readonly bytes: number;
}

/** Fills a database that has nothing yet. */
export async function fillShape({ target }: BenchDatabase, { big, topics, spread, bytes }: StoreShape): Promise<void> {
  if (big > 0) await prefill(target, { topics: 1, messages: big, bytes });
  await prefill(target, { firstTopic: 1, topics, messages: spread, bytes });
}

export function groupIdOf(topic: number): Uint8Array {
  return prefilledGroup(topic);
}

/** The topic that a message is of. */
export function topicOfId({ big, topics }: StoreShape, id: number): number {
  return id <= big ? 0 : ((id - big - 1) % topics) + 1;
}

/** The newest id of a topic. */
export function headOf({ big, topics, spread }: StoreShape, topic: number): number {
  return topic === 0 ? big : big + spread - topics + topic;
}

/** How many messages a topic has above a cursor. */
export function countAbove(shape: StoreShape, topic: number, cursor: number): number {
  if (topic === 0) return Math.max(0, shape.big - cursor);
  const head = headOf(shape, topic);
  const newer = Math.floor((head - cursor - 1) / shape.topics) + 1;
  return Math.max(0, Math.min(shape.spread / shape.topics, newer));
}
