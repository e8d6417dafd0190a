import { describe, expect, test } from "bun:test";
import type { Frame } from "../../../src/core/frame";
import type { SessionEvent } from "../../../src/core/session/events";
import { group, SessionRig } from "./rig";

/** Every event in every state: a missing cell does not compile. */

const A = group("a");
const B = group("b");

/** How to get a session into each state. Topic `a` is live from id 1 on, unless said otherwise. */
const STATES = {
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
const EVENTS: Record<SessionEvent["kind"], (rig: SessionRig) => void> = {
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

type State = keyof typeof STATES;

/** What follows: effects `!`, frames, and the end, in that order. */
const TABLE: Record<State, Record<SessionEvent["kind"], string>> = {
  fresh: {
    mutate: "!watch, !startReplay, started",
    ping: "started, pong 7",
    pong: "started",
    malformed: "!close, badRequest",
    halfClosed: "!close, started, finished",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "started",
    flushed: "started",
    offers: "started",
    looked: "started",
    page: "started",
    replayFailed: "started",
    wake: "started",
    shutdown: "!close, shutdown",
  },
  quiet: {
    mutate: "!unwatch, !watch, !startReplay",
    ping: "pong 7",
    pong: "",
    malformed: "!close, badRequest",
    halfClosed: "!close, finished",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "",
    flushed: "",
    offers: "0:1",
    looked: "",
    page: "",
    replayFailed: "",
    wake: "ping 1",
    shutdown: "!close, shutdown",
  },
  due: {
    mutate: "!unwatch, !watch, !startReplay",
    ping: "pong 7, 0:1",
    pong: "0:1",
    malformed: "!close, badRequest",
    halfClosed: "!close, finished",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "0:1",
    flushed: "0:1",
    offers: "0:1, 0:2",
    looked: "0:1",
    page: "0:1",
    replayFailed: "0:1",
    wake: "0:1",
    shutdown: "!close, shutdown",
  },
  scanning: {
    mutate: "!unwatch, !watch, !startReplay",
    ping: "pong 7",
    pong: "",
    malformed: "!close, badRequest",
    halfClosed: "",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "",
    flushed: "",
    offers: "0:3",
    looked: "",
    page: "2:1, 2:2, live b, complete 2",
    replayFailed: "!close, replayFailed",
    wake: "ping 1",
    shutdown: "!close, shutdown",
  },
  folding: {
    mutate: "!unwatch, !watch, !startReplay, 2:3, live b, complete 2",
    ping: "pong 7, 2:3, live b, complete 2",
    pong: "2:3, live b, complete 2",
    malformed: "!close, badRequest",
    halfClosed: "!close, 2:3, live b, complete 2, finished",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "2:3, live b, complete 2",
    flushed: "2:3, live b, complete 2",
    offers: "2:3, live b, complete 2, 0:4",
    looked: "2:3, live b, complete 2",
    page: "2:3, live b, complete 2",
    replayFailed: "2:3, live b, complete 2",
    wake: "2:3, live b, complete 2",
    shutdown: "!close, shutdown",
  },
  announced: {
    mutate: "!unwatch, !watch, !startReplay, complete 2",
    ping: "pong 7, complete 2",
    pong: "complete 2",
    malformed: "!close, badRequest",
    halfClosed: "!close, complete 2, finished",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "complete 2",
    flushed: "complete 2",
    offers: "complete 2, 0:3",
    looked: "complete 2",
    page: "complete 2",
    replayFailed: "complete 2",
    wake: "complete 2",
    shutdown: "!close, shutdown",
  },
  pinning: {
    mutate: "!unwatch, !watch, !startReplay",
    ping: "pong 7",
    pong: "",
    malformed: "!close, badRequest",
    halfClosed: "",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "",
    flushed: "",
    offers: "0:2",
    looked: "!startReplay",
    page: "",
    replayFailed: "!close, replayFailed",
    wake: "ping 1",
    shutdown: "!close, shutdown",
  },
  healing: {
    mutate: "!unwatch, !watch, !startReplay",
    ping: "pong 7",
    pong: "",
    malformed: "!close, badRequest",
    halfClosed: "!close, finished",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "",
    flushed: "",
    offers: "",
    looked: "",
    page: "0:1",
    replayFailed: "!close, replayFailed",
    wake: "ping 1",
    shutdown: "!close, shutdown",
  },
  blocked: {
    mutate: "!unwatch, !watch, !startReplay",
    ping: "",
    pong: "",
    malformed: "!close, badRequest",
    halfClosed: "!close, finished",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "",
    flushed: "0:1",
    offers: "",
    looked: "",
    page: "",
    replayFailed: "",
    wake: "!close, stalled",
    shutdown: "!close, shutdown",
  },
  asked: {
    mutate: "!unwatch, !watch, !startReplay",
    ping: "pong 7",
    pong: "",
    malformed: "!close, badRequest",
    halfClosed: "!close, finished",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "",
    flushed: "",
    offers: "0:1",
    looked: "",
    page: "",
    replayFailed: "",
    wake: "!close, noPong",
    shutdown: "!close, shutdown",
  },
  draining: {
    mutate: "!unwatch, !watch, !startReplay",
    ping: "pong 7",
    pong: "",
    malformed: "!close, badRequest",
    halfClosed: "",
    cancelled: "!close, cancelled",
    blocked: "",
    progress: "",
    flushed: "",
    offers: "0:3",
    looked: "",
    page: "!close, 2:1, 2:2, live b, complete 2, finished",
    replayFailed: "!close, replayFailed",
    wake: "",
    shutdown: "!close, shutdown",
  },
  over: {
    mutate: "",
    ping: "",
    pong: "",
    malformed: "",
    halfClosed: "",
    cancelled: "",
    blocked: "",
    progress: "",
    flushed: "",
    offers: "",
    looked: "",
    page: "",
    replayFailed: "",
    wake: "",
    shutdown: "",
  },
};

/** The rules that a row of the table is about. */
const NOTES: Record<State, string> = {
  fresh: " (R-1, R-5)",
  quiet: " (R-33, R-42, R-46)",
  due: " (R-16, R-25)",
  scanning: " (R-19, R-22, I9)",
  folding: " (R-11, R-20)",
  announced: " (R-35, I4)",
  pinning: " (R-36, I9)",
  healing: " (I1, I9)",
  blocked: " (R-42, R-47)",
  asked: " (R-43, I10)",
  draining: " (R-45)",
  over: " (I12)",
};

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

function show(frame: Frame): string {
  switch (frame.kind) {
    case "messages":
      return `${frame.lane}:${frame.messages.map((message) => message.id).join("+")}`;
    case "topicsLive":
      return `live ${frame.topics.map((each) => each.slice(1)).join("+")}`;
    case "catchupComplete":
      return `complete ${frame.mutateId}`;
    case "ping":
    case "pong":
      return `${frame.kind} ${frame.nonce}`;
    case "started":
      return frame.kind;
    default:
      return frame satisfies never;
  }
}

/** Lets an event happen in a state, and takes the frames that follow without answering replays. */
function happen(state: State, kind: SessionEvent["kind"]): string {
  const rig = STATES[state]();
  const before = rig.effects.length;
  const wasOver = rig.session.over;
  EVENTS[kind](rig);
  const frames = rig.drain().map(show);
  const effects = rig.effects.slice(before).map((effect) => `!${effect.kind}`);
  const end = wasOver === undefined && rig.session.over !== undefined ? [rig.session.over.reason] : [];
  return [...effects, ...frames, ...end].join(", ");
}

function isEvent(text: string): text is SessionEvent["kind"] {
  return text in EVENTS;
}

function isState(text: string): text is State {
  return text in STATES;
}

describe("every event in every state", () => {
  for (const state of Object.keys(STATES).filter(isState)) {
    test(`${state}: what follows is what the table says${NOTES[state]}`, () => {
      const found = Object.fromEntries(
        Object.keys(EVENTS)
          .filter(isEvent)
          .map((event) => [event, happen(state, event)]),
      );
      expect(found).toEqual(TABLE[state]);
    });
  }

  test("after the end nothing is scheduled (I12)", () => {
    for (const state of Object.keys(STATES).filter(isState)) {
      const rig = STATES[state]();
      rig.handle({ kind: "cancelled" });
      rig.drain();
      expect(rig.session.deadline).toBeUndefined();
      expect(rig.session.takeEffects()).toEqual([]);
    }
  });
});
