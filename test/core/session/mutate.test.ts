import { describe, expect, test } from "bun:test";
import type { Mutate } from "../../../src/core/frame";
import { MAX_CURSOR } from "../../../src/core/limits";
import { group, type RigOptions, SessionRig, welcome } from "./rig";

const A = group("a");
const B = group("b");

/** A stream with live topic `a` (floor 1), wave 2 of `b`, and a history_only replay of `h` in wave 3. */
function rigInUse(limits: RigOptions["limits"] = {}): SessionRig {
  const rig = new SessionRig({ limits });
  rig.store(A, B, group("h"));
  rig.notice();
  rig.add(1n, [A]);
  rig.settle();
  rig.add(2n, [B]);
  rig.mutate({ id: 3n, adds: [{ topic: group("h"), cursor: 0n }], historyOnly: true });
  return rig;
}

const add = (topic: string, cursor = 0n) => ({ topic, cursor });

describe("a Mutate that is refused", () => {
  const refused: Record<string, Partial<Mutate>> = {
    "R-6 unknown kind": { id: 9n, adds: [add(group("n")), add("\x02x")], removes: [A] },
    "R-6 empty topic": { id: 9n, adds: [add(group("n"))], removes: [A, ""] },
    "R-6 bare kind byte": { id: 9n, adds: [add(group("n")), add("\0")], removes: [A] },
    "R-7 cursor too high": { id: 9n, adds: [add(group("n")), add(group("m"), MAX_CURSOR + 1n)], removes: [A] },
    "R-12 adds without an id": { id: 0n, adds: [add(group("n"))], removes: [A] },
    "R-13 id in flight": { id: 2n, adds: [add(group("n"))], removes: [A] },
    "R-13 id in flight, removes only": { id: 3n, removes: [A] },
    "R-39 history_only of a live topic": { id: 9n, adds: [add(group("n")), add(A)], removes: [B], historyOnly: true },
    "R-39 history_only of a gated topic": { id: 9n, adds: [add(group("n")), add(B)], removes: [A], historyOnly: true },
    "R-39 add of a topic in history_only": { id: 9n, adds: [add(group("n")), add(group("h"))], removes: [A] },
    "R-49 adds": { id: 9n, adds: [add(group("n")), add(group("n")), add(group("n")), add(group("n"))], removes: [A] },
    "R-49 topics": { id: 9n, adds: [add(group("n")), add(group("m"))] },
    "R-49 waves": { id: 9n, adds: [add(group("n"))] },
  };

  for (const [rule, mutate] of Object.entries(refused)) {
    test(`leaves no trace but the end (R-32, I7: ${rule})`, () => {
      const rig = rigInUse({ addsPerMutate: 3, topics: 4, waves: rule === "R-49 waves" ? 2 : 10 });
      const { topics, waves, mutates } = rig.session.account;
      const effects = rig.mutate(mutate);
      expect(effects.map((effect) => effect.kind)).toEqual(["close"]);
      expect(rig.session.account).toMatchObject({ topics, waves, mutates });
      expect(rig.session.over?.reason).toBe(rule.startsWith("R-49") ? "overLimit" : "badRequest");
      expect(rig.drain()).toEqual([]);
    });
  }

  test("says what was wanted, what came and what to do", () => {
    const rig = rigInUse();
    rig.mutate({ id: 9n, adds: [add("\x02x")] });
    expect(rig.session.over?.detail).toBe(
      "a topic in adds is a kind byte, 0 (group) or 1 (welcome), and at least one byte of identifier; got kind 2 and 1 bytes",
    );
  });
});

describe("a Mutate that is applied", () => {
  test("takes removes before adds, and asks the feed only for what changed (R-23)", () => {
    const rig = rigInUse();
    const effects = rig.mutate({ id: 9n, removes: [A, B, group("unknown")], adds: [add(A), add(group("n"))] });
    expect(effects.map(({ kind }) => kind)).toEqual(["cancelReplay", "unwatch", "watch", "startReplay"]);
    expect(effects).toContainEqual({ kind: "unwatch", topics: [B] });
    expect(effects).toContainEqual({ kind: "watch", topics: [group("n")] });
  });

  test("replays each topic above its own cursor, up to the heads of this very tick (R-7, R-24)", () => {
    const rig = rigInUse();
    const effects = rig.mutate({ id: 9n, adds: [add(group("n"), 5n), add(welcome("w")), add(group("n"), 2n)] });
    expect(effects).toContainEqual({
      kind: "startReplay",
      replay: 4,
      scope: { topics: [group("n"), welcome("w")], floors: [2n, 0n], ceilings: [3n, 0n] },
    });
  });

  test("is not watched when it is history_only, and stops a live topic it removes (R-37, R-38)", () => {
    const rig = rigInUse();
    const effects = rig.mutate({ id: 9n, removes: [A], adds: [add(A)], historyOnly: true });
    expect(effects).toEqual([
      { kind: "unwatch", topics: [A] },
      { kind: "look", replay: 4 },
    ]);
  });

  test("watches a topic that it takes out of history_only (R-31, R-39)", () => {
    const rig = rigInUse();
    const effects = rig.mutate({ id: 9n, removes: [group("h")], adds: [add(group("h"))] });
    expect(effects.map(({ kind }) => kind)).toEqual(["cancelReplay", "watch", "startReplay"]);
  });

  test("without adds starts no wave, history_only or not (R-33)", () => {
    const rig = rigInUse();
    expect(rig.mutate({ id: 9n, historyOnly: true })).toEqual([]);
    expect(rig.drain()).toContainEqual({ kind: "catchupComplete", mutateId: 9n });
  });

  test("of a hundred thousand topics is one wave with one TopicsLive per frame size (R-35)", () => {
    const rig = new SessionRig();
    const topics = Array.from({ length: 100_000 }, (_, at) => group(`topic-${at}`));
    rig.add(1n, topics);
    const kinds = rig.settle().map((frame) => (frame.kind === "topicsLive" ? frame.topics.length : frame.kind));
    expect(kinds[0]).toBe("started");
    expect(kinds.at(-1)).toBe("catchupComplete");
    const listed = kinds.slice(1, -1).map(Number);
    expect(listed.length).toBeGreaterThan(1);
    expect(listed.reduce((sum, count) => sum + count, 0)).toBe(topics.length);
    expect(rig.session.account.topics).toBe(topics.length);
  });
});
