/** A log is right if its requests can have taken effect at moments at which no rule is broken, and wrong if they cannot. */
import { describe, expect, test } from "bun:test";
import { BLACK_BOX_LIMITS } from "../../src/conformance/checker/black-box";
import { InvariantChecker } from "../../src/conformance/checker/invariants";
import { type Moment, Placement } from "../../src/conformance/checker/placement";
import type { Status } from "../../src/conformance/client/grpc";
import { type Change, mutateOf } from "../../src/conformance/client/mutate";
import { Ledger } from "../../src/conformance/ledger";
import { StreamLog } from "../../src/conformance/stream-log";
import { GROUP, kindOf, type Topic, topicOf } from "../../src/core/topic";
import { PATIENCE_MS } from "../support/until";

const KEEPALIVE_MS = 1_000;
const A = topicOf(GROUP, Buffer.from("a"));
const B = topicOf(GROUP, Buffer.from("b"));
const OK: Status = { code: 0, message: "", trailersOnly: false };

/** One stream's story, told step by step. */
class Story {
  readonly ledger = new Ledger();
  readonly log: StreamLog;
  #id = 0n;

  constructor(ownConnection = true) {
    this.log = new StreamLog(this.ledger, ownConnection);
    this.log.heard({ kind: "started", keepaliveMs: KEEPALIVE_MS });
  }

  /** Publishes messages, each with the next id, and has them acked. */
  publish(...topics: readonly Topic[]): this {
    const publication = this.ledger.begin();
    const rows = topics.map((topic) => {
      this.#id += 1n;
      return { kind: kindOf(topic), id: this.#id, topic };
    });
    this.ledger.learn(publication, rows);
    this.ledger.acked(publication);
    return this;
  }

  mutate(id: bigint, change: Change): this {
    this.log.sent({ kind: "mutate", mutate: mutateOf(id, change) });
    return this;
  }

  ping(nonce: bigint): this {
    this.log.sent({ kind: "ping", nonce });
    return this;
  }

  halfClose(): this {
    this.log.sent({ kind: "halfClose" });
    return this;
  }

  messages(lane: bigint, topic: Topic, ...ids: readonly bigint[]): this {
    const parts = { createdNs: 0n, data: new Uint8Array(), entry: new Uint8Array() };
    const messages = ids.map((id) => ({ kind: kindOf(topic), id, topic, ...parts }));
    this.log.heard({ kind: "messages", lane, messages });
    return this;
  }

  live(...topics: readonly Topic[]): this {
    this.log.heard({ kind: "topicsLive", topics });
    return this;
  }

  complete(mutateId: bigint): this {
    this.log.heard({ kind: "catchupComplete", mutateId });
    return this;
  }

  pong(nonce: bigint): this {
    this.log.heard({ kind: "pong", nonce });
    return this;
  }

  ended(status: Partial<Status> = {}): this {
    this.log.ended({ ...OK, ...status });
    return this;
  }

  /** The number of the broken rule, if there is one. */
  broken(moment: Moment = "at rest"): string | undefined {
    const truth = this.ledger.truth();
    const checker = new InvariantChecker(truth, BLACK_BOX_LIMITS, KEEPALIVE_MS, { mergedWaves: false });
    return new Placement(this.log, truth, checker).violation(moment)?.rule;
  }
}

/** A stream on which topics are live since wave 1, with nothing stored before. */
function live(...topics: readonly Topic[]): Story {
  return new Story()
    .mutate(1n, { add: topics })
    .live(...topics)
    .complete(1n);
}

describe("a right log", () => {
  test("frames of a topic may come between the sending of its remove and the ack (R-25)", () => {
    const story = live(A, B)
      .mutate(2n, { remove: [A] })
      .publish(A, B);
    expect(story.messages(0n, A, 1n).messages(0n, B, 2n).complete(2n).broken()).toBeUndefined();
  });

  test("a re-add below what is delivered meanwhile may have been a no-op, or may not (R-26, R-27)", () => {
    const sent = () =>
      live(A)
        .publish(A)
        .mutate(2n, { add: [A] });
    expect(sent().complete(2n).messages(0n, A, 1n).broken()).toBeUndefined();
    const replayed = sent().messages(0n, A, 1n).messages(2n, A, 1n).live(A).complete(2n);
    expect(replayed.broken()).toBeUndefined();
  });

  test("pipelined requests may take effect before anything is heard of them", () => {
    const story = new Story()
      .publish(A, B)
      .mutate(1n, { add: [A] })
      .mutate(2n, { add: [B] })
      .ping(9n);
    story.messages(2n, B, 2n).pong(9n).live(B).complete(2n).messages(1n, A, 1n).live(A).complete(1n);
    expect(story.broken()).toBeUndefined();
  });

  test("a TopicsLive is not laid to a wave that the topic has left (R-26)", () => {
    const story = new Story().mutate(1n, { add: [[A, 10n]] }).mutate(2n, { add: [[A, 5n]] });
    expect(story.live(A).complete(1n).complete(2n).broken()).toBeUndefined();
  });

  test("a Ping may cross the half-close (R-45)", () => {
    const story = live(A).halfClose();
    story.log.heard({ kind: "ping", nonce: 1n });
    expect(story.ended().broken()).toBeUndefined();
  });

  test("the second of two pipelined Mutates may be refused (R-12)", () => {
    const story = new Story().mutate(1n, { add: [A] }).mutate(0n, { add: [B] });
    expect(story.live(A).complete(1n).ended({ code: 3 }).broken()).toBeUndefined();
  });

  test("on another connection what was just acked may come live (R-9)", () => {
    const story = new Story(false)
      .publish(A)
      .mutate(1n, { add: [A] })
      .live(A)
      .complete(1n);
    expect(story.messages(0n, A, 1n).broken()).toBeUndefined();
  });
});

describe("a wrong log", () => {
  test("a frame of a topic after the ack of its remove (R-25)", () => {
    const story = live(A, B)
      .mutate(2n, { remove: [A] })
      .publish(A);
    expect(story.complete(2n).messages(0n, A, 1n).broken()).toBe("R-25");
  });

  test("a message twice (I2), a message skipped (I1), live out of order (I3)", () => {
    expect(live(A).publish(A).messages(0n, A, 1n).messages(0n, A, 1n).broken()).toBe("I2");
    expect(live(A).publish(A, A).messages(0n, A, 2n).broken()).toBe("I1");
    expect(live(A, B).publish(A, B).messages(0n, B, 2n).messages(0n, A, 1n).broken()).toBe("I3");
  });

  test("live before the gate, wherever the Mutate took effect (I4)", () => {
    const story = live(B)
      .publish(A, A)
      .mutate(2n, { add: [A] });
    expect(story.messages(2n, A, 1n).messages(0n, A, 2n).live(A).complete(2n).broken()).toBe("I4");
  });

  test("history that was acked before and is not in the wave (I1)", () => {
    expect(
      new Story()
        .publish(A)
        .mutate(1n, { add: [A] })
        .live(A)
        .complete(1n)
        .broken(),
    ).toBe("I1");
  });

  test("an ack that never comes, once all is at rest (I8)", () => {
    const story = live(A).mutate(2n, { remove: [A] });
    expect(story.broken("under way")).toBeUndefined();
    expect(story.broken("at rest")).toBe("I8");
  });

  test("an ack for nothing (I8), and one that overtakes another (R-34)", () => {
    expect(live(A).complete(7n).broken()).toBe("I8");
    expect(live(A).mutate(2n, {}).mutate(3n, {}).complete(3n).complete(2n).broken()).toBe("R-34");
  });

  test("a bad Mutate that is accepted (R-12)", () => {
    expect(
      new Story()
        .mutate(0n, { add: [A] })
        .live(A)
        .complete(0n)
        .broken(),
    ).toBe("R-12");
  });

  test("a good Mutate that is refused (I7), and an end for nothing (I7)", () => {
    expect(
      new Story()
        .mutate(1n, { add: [A] })
        .ended({ code: 3 })
        .broken(),
    ).toBe("I7");
    expect(live(A).ended({ code: 3 }).broken()).toBe("I7");
  });

  test("OK while a wave is under way, and OK without a half-close (R-45)", () => {
    expect(
      new Story()
        .publish(A)
        .mutate(1n, { add: [A] })
        .halfClose()
        .messages(1n, A, 1n)
        .ended()
        .broken(),
    ).toBe("R-45");
    expect(live(A).ended().broken()).toBe("R-45");
  });

  test("an end without a status, and one that the protocol does not have", () => {
    expect(live(A).ended({ code: undefined }).broken()).toBe("status");
    expect(live(A).ended({ code: 13 }).broken()).toBe("status");
  });

  test("reaped although every Ping was answered (R-43)", () => {
    expect(live(A).ended({ code: 4 }).broken()).toBe("R-43");
  });

  test("a history_only wave that delivers what was published after it had begun (R-36)", () => {
    const story = new Story()
      .publish(A)
      .mutate(1n, { add: [A], historyOnly: true })
      .messages(1n, A, 1n)
      .publish(A);
    expect(story.messages(1n, A, 2n).live(A).complete(1n).broken()).toBe("R-36");
  });

  test("is judged in bounded time, however many requests are under way", () => {
    const story = new Story();
    for (let id = 1n; id <= 300n; id++) story.mutate(id, { add: [topicOf(GROUP, Buffer.from(`t${id}`))] });
    for (let id = 1n; id <= 300n; id++) story.live(topicOf(GROUP, Buffer.from(`t${id}`))).complete(id);
    const begun = performance.now();
    expect(story.complete(1n).broken()).toBe("I8");
    // Half a second; without the bound, more minutes than anybody has waited.
    expect(performance.now() - begun).toBeLessThan(PATIENCE_MS);
  });
});
