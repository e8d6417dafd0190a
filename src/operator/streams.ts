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

/** One of them with its whole account, as it is shown. */
export interface ShownStream extends Omit<StreamSnapshot, "account">, SessionAccount {
  /** Of the process that serves it: each counts its streams by itself. */
  readonly pid: number;
}

/** The streams of one process: how many are open, and those that are furthest behind the tail, or oldest. */
export interface StreamList {
  readonly open: number;
  readonly streams: readonly ShownStream[];
}

/** What /streams says. */
export interface ShownStreams extends StreamList {
  /** Processes that have told of theirs. */
  readonly processes: number;
  readonly shown: number;
}

/** Streams that are shown at most. */
const MAX_SHOWN = 100;

/** Lists the streams of this process. */
export function listStreams(snapshots: Iterable<StreamSnapshot>): StreamList {
  const all = [...snapshots].map(({ account, ...about }) => ({ pid: process.pid, ...about, ...account }));
  return { open: all.length, streams: furthestBehind(all) };
}

/** What the processes of a node tell of their streams, as one. */
export function mergeStreams(lists: readonly StreamList[]): ShownStreams {
  const streams = furthestBehind(lists.flatMap((list) => list.streams));
  const open = lists.reduce((sum, list) => sum + list.open, 0);
  return { open, processes: lists.length, shown: streams.length, streams };
}

function furthestBehind(streams: readonly ShownStream[]): readonly ShownStream[] {
  const sorted = streams.toSorted((a, b) => b.lagOffsets - a.lagOffsets || b.ageMs - a.ageMs);
  return sorted.slice(0, MAX_SHOWN);
}
