/** The checker itself is checked: a good stream passes, and each way of breaking a rule is caught under its name. */
import { describe, expect, test } from "bun:test";
import { InvariantChecker } from "../../src/conformance/checker/invariants";
import { Truth } from "../../src/conformance/truth";
import type { CloseReason } from "../../src/core/close";
import type { Frame, Mutate } from "../../src/core/frame";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import { GROUP, isTopic, type Kind, type Topic } from "../../src/core/topic";

const KEEPALIVE_MS = 1_000;

/** `a` is a group, `A` a welcome topic. */
function topic(letter: string): Topic {
  const text = (letter === letter.toLowerCase() ? "\0" : "\x01") + letter;
  if (!isTopic(text)) throw new RangeError(`no topic: ${letter}`);
  return text;
}

const STARTED: Frame = { kind: "started", keepaliveMs: KEEPALIVE_MS };

/** A delivery: `"3a"` is message 3 of topic a. */
function messages(lane: bigint, ...rows: readonly string[]): Frame {
  const entry = new Uint8Array(1);
  return {
    kind: "messages",
    lane,
    messages: rows.map((row) => {
      const letter = row.slice(-1);
      const kind: Kind = letter === letter.toLowerCase() ? GROUP : 1;
      return { kind, id: BigInt(row.slice(0, -1)), topic: topic(letter), entry };
    }),
  };
}

const live = (letters: string): Frame => ({ kind: "topicsLive", topics: [...letters].map(topic) });
const complete = (mutateId: bigint): Frame => ({ kind: "catchupComplete", mutateId });

/** `"a5"` adds topic a from cursor 5, `"-a"` removes it. */
function mutate(id: bigint, ...changes: readonly string[]): Mutate {
  return {
    id,
    historyOnly: false,
    adds: changes
      .filter((change) => !change.startsWith("-"))
      .map((change) => ({ topic: topic(change.slice(0, 1)), cursor: BigInt(change.slice(1)) })),
    removes: changes.filter((change) => change.startsWith("-")).map((change) => topic(change.slice(1))),
  };
}

/** What happens to the stream, in order: rows are inserted and acked at once. */
class Script {
  readonly truth = new Truth();
  readonly checker = new InvariantChecker(this.truth, { ...DEFAULT_LIMITS, topics: 3, waves: 2 }, KEEPALIVE_MS);
  readonly #heads: [bigint, bigint] = [0n, 0n];

  insert(letters: string, options: { readonly acked: boolean } = { acked: true }): this {
    for (const letter of letters) {
      const kind: Kind = letter === letter.toLowerCase() ? GROUP : 1;
      this.#heads[kind] += 1n;
      this.truth.inserted({ kind, id: this.#heads[kind], topic: topic(letter) });
      if (options.acked) this.truth.ackedUpTo(kind, this.#heads[kind]);
    }
    return this;
  }

  mutate(id: bigint, ...changes: readonly string[]): this {
    this.checker.accepted(mutate(id, ...changes));
    return this;
  }

  history(id: bigint, ...changes: readonly string[]): this {
    this.checker.accepted({ ...mutate(id, ...changes), historyOnly: true });
    return this;
  }

  out(...frames: readonly Frame[]): this {
    for (const frame of frames) this.checker.frame(frame);
    return this;
  }
}

/** Started, ids 1a 2b 3a stored, wave 1 over a and b complete. */
const opened = () =>
  new Script()
    .insert("aba")
    .out(STARTED)
    .mutate(1n, "a0", "b0")
    .out(messages(1n, "1a", "2b", "3a"), live("ab"), complete(1n));

describe("a stream that keeps the rules", () => {
  test("passes with waves, folds, live, removes, resets, history and both kinds", () => {
    const script = opened().insert("aA").out(messages(0n, "4a")).mutate(2n, "A0").insert("A");
    script.out(messages(2n, "1A"), messages(2n, "2A"), live("A"), complete(2n));
    script.insert("Aab").out(messages(0n, "3A", "5a"), messages(0n, "6b"));
    script.mutate(3n, "a1").mutate(4n, "-b").out(messages(3n, "3a"), complete(4n), messages(3n, "4a"));
    script.out(messages(3n, "5a"), live("a"), complete(3n));
    script.history(3n, "b1").mutate(0n).mutate(0n, "-c").out(complete(0n), complete(0n));
    script.out(messages(3n, "2b", "6b"), live("b"), complete(3n));
    script.checker.pinged(9n);
    script.out({ kind: "pong", nonce: 9n }, { kind: "ping", nonce: 1n });
    script.checker.quiescent();
    script.checker.halfClose();
    script.checker.ended("finished");
    expect(script.checker.over).toBe("finished");
  });

  test("a wave that lost its topics acks without TopicsLive, and its topics are not missed (R-28, R-29)", () => {
    const script = new Script().insert("ab").out(STARTED).mutate(1n, "a0", "b0").mutate(2n, "-a").mutate(3n, "b0");
    expect(script.checker.model.acks).toEqual([2n, 3n]);
    script.mutate(4n, "-b").out(complete(2n), complete(3n), complete(1n), complete(4n));
    script.checker.quiescent();
    expect(script.checker.model.standings.size).toBe(0);
  });
});

const BROKEN: Record<string, readonly [rule: string, broken: () => unknown]> = {
  "a frame before Started": ["R-1", () => new Script().out({ kind: "ping", nonce: 1n })],
  "a second Started": ["R-1", () => opened().out(STARTED)],
  "another keepalive than configured": ["R-2", () => new Script().out({ kind: "started", keepaliveMs: 5 })],
  "a skipped message in the live lane": ["I1", () => opened().insert("aa").out(messages(0n, "5a"))],
  "a skipped message in a wave": [
    "I1",
    () => new Script().insert("aa").out(STARTED).mutate(1n, "a0").out(messages(1n, "2a")),
  ],
  "a message that does not exist": ["I1", () => opened().out(messages(0n, "4a"))],
  "a message under another topic": ["I1", () => opened().insert("b").out(messages(0n, "4a"))],
  "a topic announced before its messages came": [
    "I1",
    () => new Script().insert("a").out(STARTED).mutate(1n, "a0").out(live("a")),
  ],
  "a mid-wave arrival left behind a live id (R-20)": [
    "I1",
    () => opened().mutate(2n, "c0").insert("ca").out(messages(0n, "5a"), live("c")),
  ],
  "a live message missing at rest": ["I1", () => opened().insert("a").checker.quiescent()],
  "a message twice": ["I2", () => opened().insert("a").out(messages(0n, "4a"), messages(0n, "4a"))],
  "live ids of two topics out of order": [
    "I3",
    () => opened().insert("ab").out(messages(0n, "5b"), messages(0n, "4a")),
  ],
  "a wave topic by topic": [
    "I3",
    () =>
      new Script()
        .insert("aba")
        .out(STARTED)
        .mutate(1n, "a0", "b0")
        .out(messages(1n, "1a", "3a", "2b")),
  ],
  "live before CatchupComplete": [
    "I4",
    () => new Script().out(STARTED).mutate(1n, "a0").insert("a").out(live("a"), messages(0n, "1a")),
  ],
  "an id at the cursor": ["I5", () => new Script().insert("a").out(STARTED).mutate(1n, "a1").out(messages(1n, "1a"))],
  "an id below a cursor above the head, in the live lane": [
    "I5",
    () => new Script().out(STARTED).mutate(1n, "a9").out(live("a"), complete(1n)).insert("a").out(messages(0n, "1a")),
  ],
  "a topic in the lane of another wave": [
    "I6",
    () =>
      new Script()
        .insert("ab")
        .out(STARTED)
        .mutate(1n, "a0")
        .mutate(2n, "b0")
        .out(messages(1n, "1a", "2b")),
  ],
  "a live topic in a wave's lane": ["I6", () => opened().insert("a").mutate(2n, "c0").out(messages(2n, "4a"))],
  "an empty delivery frame": ["I6", () => opened().out(messages(0n))],
  "a refused Mutate that was fine": ["I7", () => opened().checker.refused(mutate(2n, "a0"), "badRequest")],
  "a Mutate refused for another reason": ["R-12", () => opened().checker.refused(mutate(0n, "a0"), "overLimit")],
  "an add with id 0": ["R-12", () => opened().mutate(0n, "c0")],
  "the id of a wave in flight": ["R-13", () => opened().mutate(2n, "c0").mutate(2n, "-c")],
  "an invalid topic": ["R-6", () => opened().checker.accepted({ ...mutate(2n), removes: ["\x07x"] })],
  "a bare kind byte": ["R-6", () => opened().checker.accepted({ ...mutate(2n), removes: ["\0"] })],
  "a cursor above 2^63-1": ["R-9", () => opened().mutate(2n, `c${1n << 63n}`)],
  "history_only of a subscribed topic": ["R-39", () => opened().history(2n, "a0")],
  "an add during a history_only replay": ["R-39", () => opened().history(2n, "c0").mutate(3n, "c0")],
  "too many topics": ["R-49 topics", () => opened().mutate(2n, "c0", "d0")],
  "too many waves": ["R-49 waves", () => new Script().out(STARTED).mutate(1n, "a0").mutate(2n, "b0").mutate(3n, "c0")],
  "a second CatchupComplete": ["I8", () => opened().out(complete(1n))],
  "a missing CatchupComplete": ["I8", () => opened().mutate(2n, "-a").checker.quiescent()],
  "a wave that never completes": ["I8", () => opened().mutate(2n, "c0").out(live("c")).checker.quiescent()],
  "acks in another order": ["R-34", () => opened().mutate(2n).mutate(3n).out(complete(3n))],
  "CatchupComplete before TopicsLive": ["R-35", () => new Script().out(STARTED).mutate(1n, "a0").out(complete(1n))],
  "a wave frame after CatchupComplete": ["R-35", () => opened().insert("a").out(messages(1n, "4a"))],
  "a wave frame after its topic was announced": [
    "R-35",
    () => new Script().out(STARTED).mutate(1n, "a0").out(live("a")).insert("a").out(messages(1n, "1a")),
  ],
  "an empty TopicsLive": ["R-35", () => opened().out(live(""))],
  "a TopicsLive over two waves": [
    "R-35",
    () => new Script().out(STARTED).mutate(1n, "a0").mutate(2n, "b0").out(live("ab")),
  ],
  "a topic announced twice": ["R-27", () => opened().mutate(2n, "c0").out(live("c"), live("c"))],
  "a no-op add announced": ["R-27", () => opened().mutate(2n, "a9", "c0").out(live("ac"))],
  "a removed topic announced": ["R-27", () => opened().mutate(2n, "c0").mutate(3n, "-c").out(live("c"))],
  "a removed topic delivered": ["R-25", () => opened().insert("a").mutate(2n, "-a").out(messages(0n, "4a"))],
  "a history_only topic that goes live": [
    "R-25",
    () => new Script().out(STARTED).history(1n, "a0").out(live("a"), complete(1n)).insert("a").out(messages(0n, "1a")),
  ],
  "history above a pinned ceiling": [
    "R-36",
    () => {
      const script = new Script().insert("a").out(STARTED).history(1n, "a0");
      script.checker.pinned(1n);
      return script.insert("a").out(messages(1n, "1a", "2a"));
    },
  ],
  "history stored after the wave showed itself": [
    "R-36",
    () =>
      new Script()
        .insert("a")
        .out(STARTED)
        .history(1n, "a0")
        .out(messages(1n, "1a"))
        .insert("a")
        .out(messages(1n, "2a")),
  ],
  "history without what another node acked": [
    "I1",
    () => {
      const script = new Script().insert("a").insert("a", { acked: false });
      script.truth.promisedUpTo(GROUP, 2n);
      return script.out(STARTED).history(1n, "a0").out(messages(1n, "1a"), live("a"));
    },
  ],
  "history that stops at different points for two topics": [
    "I1",
    () => new Script().out(STARTED).history(1n, "a0", "b0").insert("ab").out(messages(1n, "2b"), live("ab")),
  ],
  "a Pong nobody asked for": ["R-44", () => opened().out({ kind: "pong", nonce: 3n })],
  "a Ping after the half-close": [
    "R-45",
    () => {
      const script = opened();
      script.checker.halfClose();
      return script.out({ kind: "ping", nonce: 1n });
    },
  ],
  "an end before the waves are through": [
    "R-45",
    () => {
      const script = opened().mutate(2n, "c0");
      script.checker.halfClose();
      return script.checker.ended("finished");
    },
  ],
  "no end although half-closed and drained": [
    "R-46",
    () => {
      const script = opened();
      script.checker.halfClose();
      return script.checker.quiescent();
    },
  ],
  "a frame after the end": [
    "I12",
    () => {
      const script = opened();
      script.checker.ended("cancelled" satisfies CloseReason);
      return script.out({ kind: "ping", nonce: 1n });
    },
  ],
};

describe("the checker catches", () => {
  for (const [what, [rule, broken]] of Object.entries(BROKEN)) {
    test(`${what} (${rule})`, () => {
      expect(broken).toThrow(`${rule}: `);
    });
  }
});
