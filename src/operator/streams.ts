import type { SessionAccount } from "../core/session/account";

/** An open stream, as the operator sees it. */
export interface StreamSnapshot {
  /** Its number, as in the log. */
  readonly stream: number;
  readonly rpc: string;
  /** How it came in: `grpc`, `connect`, … */
  readonly protocol: string;
  /** Since it was opened, in milliseconds. */
  readonly ageMs: number;
  readonly account: SessionAccount;
}

/** Streams that are shown at most. */
const MAX_SHOWN = 100;

/** What /streams says: how many are open, and of those that are furthest behind the tail, or oldest, the whole account. */
export function showStreams(streams: Iterable<StreamSnapshot>): object {
  const all = [...streams].sort((a, b) => b.account.lagOffsets - a.account.lagOffsets || b.ageMs - a.ageMs);
  const shown = all.slice(0, MAX_SHOWN).map(({ account, ...about }) => ({ ...about, ...account }));
  return { open: all.length, shown: shown.length, streams: shown };
}
