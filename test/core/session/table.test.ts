import { describe, expect, test } from "bun:test";
import type { Frame } from "../../../src/core/frame";
import type { SessionEvent } from "../../../src/core/session/events";
import { EVENTS, STATES, type State } from "./states";

/** Every event in every state: a missing cell does not compile. */

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
