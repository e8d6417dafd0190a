import type { SessionEvent } from "../../../src/core/session/events";
import { group, SessionRig } from "./rig";

const A = group("a");
const B = group("b");

/** How to get a session into each state. Topic `a` is live from id 1 on, unless said otherwise. */
export const STATES = {
  /** Started was not taken yet. */
  fresh: () => new SessionRig(),
  /** Nothing to do. */
  quiet: () => live(),
  /** A message of `a` is due. */
  due: () => {
    const rig = live();
    rig.insert(A);
    return rig;
  },
  /** Wave 2 of `b` scans: one row in the store, one message held. */
  scanning: () => scanning(),
  /** Wave 2 of `b` folds: its row was taken, two messages are held, one fits a frame. */
  folding: () => {
    const rig = scanning();
    rig.insert(B);
    rig.page(2);
    rig.take();
    rig.take();
    return rig;
  },
  /** TopicsLive of wave 2 was taken, CatchupComplete was not. */
  announced: () => {
    const rig = scanning();
    rig.page(2);
    rig.take();
    rig.take();
    rig.take();
    return rig;
  },
  /** history_only wave 2 of `b` waits for its look. */
  pinning: () => {
    const rig = live();
    rig.store(B);
    rig.mutate({ id: 2n, adds: [{ topic: B, cursor: 0n }], historyOnly: true });
    return rig;
  },
  /** The live lane is read from the store. */
  healing: () => {
    const rig = live();
    rig.insert(A);
    rig.tail.evict(0);
    rig.take();
    return rig;
  },
  /** The wire is full; a message of `a` is due. */
  blocked: () => {
    const rig = live();
    rig.handle({ kind: "blocked" });
    rig.insert(A);
    return rig;
  },
  /** A Ping is out. */
  asked: () => {
    const rig = live();
    rig.pass(30_000);
    rig.take();
    return rig;
  },
  /** Half-closed while wave 2 of `b` scans. */
  draining: () => {
    const rig = scanning();
    rig.handle({ kind: "halfClosed" });
    return rig;
  },
  over: () => {
    const rig = live();
    rig.handle({ kind: "cancelled" });
    return rig;
  },
} as const satisfies Record<string, () => SessionRig>;

/** What happens: replay 2 is the one that the state waits for, if it waits for one; time stands at the deadline for `wake`. */
export const EVENTS: Record<SessionEvent["kind"], (rig: SessionRig) => void> = {
  mutate: (rig) => void rig.mutate({ id: 9n, adds: [{ topic: group("z"), cursor: 0n }], removes: [A] }),
  ping: (rig) => void rig.handle({ kind: "ping", nonce: 7n }),
  pong: (rig) => void rig.handle({ kind: "pong", nonce: 1n }),
  malformed: (rig) => void rig.handle({ kind: "malformed", detail: "no request" }),
  halfClosed: (rig) => void rig.handle({ kind: "halfClosed" }),
  cancelled: (rig) => void rig.handle({ kind: "cancelled" }),
  blocked: (rig) => void rig.handle({ kind: "blocked" }),
  progress: (rig) => void rig.handle({ kind: "progress" }),
  flushed: (rig) => void rig.handle({ kind: "flushed" }),
  offers: (rig) => rig.insert(A),
  looked: (rig) => void rig.handle({ kind: "looked", replay: 2 }),
  page: (rig) => {
    const rows = rig.replays.get(2)?.rows ?? [];
    rig.handle({ kind: "page", replay: 2, messages: rows, done: true });
  },
  replayFailed: (rig) => void rig.handle({ kind: "replayFailed", replay: 2, detail: "the store is away" }),
  wake: (rig) => {
    rig.now = rig.session.deadline ?? rig.now;
    rig.handle({ kind: "wake" });
  },
  shutdown: (rig) => void rig.handle({ kind: "shutdown" }),
};

export type State = keyof typeof STATES;

function live(): SessionRig {
  const rig = new SessionRig({ limits: { targetFrameBytes: 10 } });
  rig.add(1n, [A]);
  rig.settle();
  return rig;
}

function scanning(): SessionRig {
  const rig = live();
  rig.insert(B);
  rig.add(2n, [B]);
  rig.insert(B);
  return rig;
}
