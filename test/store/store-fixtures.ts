/** What the tests of the store begin with. */

import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { GROUP, type Kind, type Topic, topicOf } from "../../src/core/topic";
import { openStore, type Store, type StoreOptions } from "../../src/store/store";
import type { DatabaseTarget } from "../../src/store/target";
import type { NewMessage } from "../../src/store/types";
import { PATIENCE_MS } from "../support/until";

/** Tries again at once, and for as long as the busiest machine may need. A test of giving up has its own. */
const RETRY = { totalMs: PATIENCE_MS, firstPauseMs: 2, maxPauseMs: 20 };

export function openTestStore(target: DatabaseTarget, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({ target, clock: systemClock, log: silentLogger, retry: RETRY, ...options });
}

/** The topic with a name, as in `topic("a")`. */
export function topic(name: string, kind: Kind = GROUP): Topic {
  return topicOf(kind, Buffer.from(name));
}

/** A message whose body is `text`; equal topics and texts make duplicates. */
export function message(name: string, text: string, kind: Kind = GROUP): NewMessage {
  const body = Buffer.from(text);
  return { kind, topic: topic(name, kind), digest: new Bun.CryptoHasher("sha256").update(body).digest(), arm: 1, body };
}

/** A message that the database refuses: its topic is longer than the table allows. */
export function poison(secret: string): NewMessage {
  return { ...message("x", secret), topic: topic(`${secret}${"x".repeat(1_100)}`) };
}

/** The numbers from 1 to `count`. */
export function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, nth) => nth + 1);
}

/** The order of ids. */
export function ascending(a: bigint, b: bigint): number {
  return Number(a - b);
}

/** The text of a body. */
export function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString();
}

/** What a promise was rejected with; fails if it was not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a rejection, but the promise was fulfilled");
}
