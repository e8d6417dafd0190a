import { describe, expect, test } from "bun:test";
import { Connection } from "../../../src/core/connection/connection";
import type { ConnectionOptions, Positioned, ServerFrame } from "../../../src/core/connection/events";
import { RESUMABLE, STATUS_NAMES, type StatusName, statusName } from "../../../src/core/connection/status";
import { GROUP, topicOf } from "../../../src/core/topic";

const topic = topicOf(GROUP, Uint8Array.of(1));
const WANT = { topic, cursor: 0n };

/** A connection and the moment it lives in. */
class Bench {
  readonly connection: Connection<Positioned>;
  now = 0;
  stream = 1;

  constructor(options: Partial<ConnectionOptions> = {}) {
    this.connection = new Connection({ historyOnly: false, random: () => 0.5, ...options }, 0);
  }

  frame(frame: ServerFrame<Positioned>): void {
    this.connection.handle({ kind: "frame", stream: this.stream, frame }, this.now);
  }

  /** Started with a cadence of one second. */
  start(): void {
    this.frame({ kind: "started", keepaliveMs: 1_000 });
    this.connection.takeEffects();
  }

  end(status: StatusName): void {
    this.connection.handle({ kind: "ended", stream: this.stream, status, detail: "why" }, this.now);
  }

  /** Lets time pass up to the next deadline and reports that. */
  wake(): void {
    this.now = this.connection.deadline ?? this.now;
    this.connection.handle({ kind: "wake" }, this.now);
  }

  add(): void {
    this.connection.handle({ kind: "add", wants: [WANT] }, this.now);
  }

  request() {
    return this.connection.nextRequest(this.now);
  }

  effects() {
    return this.connection.takeEffects();
  }
}

describe("a connection", () => {
  test("opens a stream at once, and asks before it has read Started (R-5)", () => {
    const bench = new Bench();
    bench.add();
    expect(bench.effects()).toEqual([
      { kind: "state", state: { kind: "connecting" } },
      { kind: "open", stream: 1 },
    ]);
    expect(bench.request()).toMatchObject({ kind: "mutate", mutate: { id: 1n } });
    bench.frame({ kind: "started", keepaliveMs: 1_000 });
    expect(bench.effects()).toEqual([{ kind: "state", state: { kind: "connected", keepaliveMs: 1_000 } }]);
  });

  test("answers every Ping, before anything else it has to say (C-1)", () => {
    const bench = new Bench();
    bench.start();
    bench.add();
    bench.frame({ kind: "ping", nonce: 7n });
    bench.frame({ kind: "ping", nonce: 2n ** 64n - 1n });
    expect(bench.request()).toEqual({ kind: "pong", nonce: 7n });
    expect(bench.request()).toEqual({ kind: "pong", nonce: 2n ** 64n - 1n });
    expect(bench.request()?.kind).toBe("mutate");
    expect(bench.request()).toBeUndefined();
  });

  test("answers a flood of Pings within bounds, the newest ones", () => {
    const bench = new Bench();
    bench.start();
    for (let nonce = 0n; nonce < 5_000n; nonce++) bench.frame({ kind: "ping", nonce });
    const answered: bigint[] = [];
    for (let next = bench.request(); next?.kind === "pong"; next = bench.request()) answered.push(next.nonce);
    expect(answered).toHaveLength(1_000);
    expect(answered.at(-1)).toBe(4_999n);
  });

  test("pings a silent node, then replaces its stream (C-2)", () => {
    const bench = new Bench();
    bench.start();
    bench.wake();
    expect(bench.now).toBe(2_000);
    expect(bench.request()).toEqual({ kind: "ping", nonce: 1n });
    bench.wake();
    expect(bench.now).toBe(3_000);
    expect(bench.effects()).toEqual([
      { kind: "abandon", stream: 1 },
      {
        kind: "state",
        state: {
          kind: "waiting",
          retryMs: 50,
          loss: { status: "unavailable", detail: "the node has fallen silent" },
        },
      },
    ]);
    bench.wake();
    expect(bench.effects()).toContainEqual({ kind: "open", stream: 2 });
  });

  test("takes a frame that waits to be handed over for a sign of life (C-2)", () => {
    const bench = new Bench();
    bench.start();
    bench.now = 1_500;
    bench.connection.handle({ kind: "heard", stream: 1 }, bench.now);
    expect(bench.connection.deadline).toBe(3_500);
  });

  test("has no watchdog while its consumer is too far behind to read", () => {
    const bench = new Bench();
    bench.start();
    bench.connection.handle({ kind: "paused" }, 10);
    expect(bench.connection.deadline).toBeUndefined();
    bench.connection.handle({ kind: "reading" }, 9_000);
    expect(bench.connection.deadline).toBe(11_000);
  });

  test("does not wait for ever for a stream to begin", () => {
    const bench = new Bench({ openMs: 400 });
    bench.effects();
    bench.wake();
    expect(bench.now).toBe(400);
    expect(bench.effects()[0]).toEqual({ kind: "abandon", stream: 1 });
  });

  test("ignores what an abandoned stream still says", () => {
    const bench = new Bench();
    bench.add();
    bench.request();
    bench.start();
    bench.end("unavailable");
    bench.effects();
    bench.frame({ kind: "messages", lane: 1n, messages: [{ kind: GROUP, id: 1n, topic }] });
    bench.end("invalidArgument");
    expect(bench.effects()).toEqual([]);
  });

  test("is over when its consumer closes it, and does nothing from then on", () => {
    const bench = new Bench();
    bench.start();
    bench.connection.handle({ kind: "close" }, 5);
    expect(bench.effects()).toEqual([
      { kind: "abandon", stream: 1 },
      { kind: "over", end: { kind: "closed" } },
    ]);
    bench.add();
    bench.frame({ kind: "ping", nonce: 1n });
    expect(bench.effects()).toEqual([]);
    expect(bench.request()).toBeUndefined();
    expect(bench.connection.deadline).toBeUndefined();
  });

  test("gives up only when told after how many attempts in a row, and Started begins the count anew", () => {
    const bench = new Bench({ maxAttempts: 2 });
    bench.end("unavailable");
    bench.wake();
    bench.stream = 2;
    bench.start();
    for (const stream of [2, 3]) {
      bench.stream = stream;
      bench.end("unavailable");
      bench.wake();
    }
    bench.effects();
    bench.stream = 4;
    bench.end("unavailable");
    const end = { kind: "unreachable", loss: { status: "unavailable", detail: "why" } } as const;
    expect(bench.effects()).toEqual([{ kind: "over", end }]);
  });

  test("of a bounded sync counts what came of the attempts: a node without its store says Started, and no more", () => {
    const bench = new Bench({ historyOnly: true, maxAttempts: 3 });
    bench.add();
    const attempt = (...frames: readonly ServerFrame<Positioned>[]) => {
      bench.start();
      bench.request();
      for (const frame of frames) bench.frame(frame);
      bench.end("unavailable");
      const over = bench.effects().find(({ kind }) => kind === "over");
      bench.wake();
      bench.stream++;
      return over;
    };
    attempt();
    attempt();
    expect(attempt({ kind: "messages", lane: 3n, messages: [{ kind: GROUP, id: 7n, topic }] })).toBeUndefined();
    attempt();
    expect(attempt()).toBeUndefined();
    expect(attempt()).toMatchObject({ end: { kind: "unreachable", loss: { status: "unavailable" } } });
  });
});

describe("after the machine slept (C-6)", () => {
  test("a stream that answers a Ping is kept", () => {
    const bench = new Bench({ probeMs: 300 });
    bench.start();
    bench.now = 60_000;
    bench.connection.handle({ kind: "resumed" }, bench.now);
    expect(bench.connection.deadline).toBe(60_300);
    expect(bench.request()).toEqual({ kind: "ping", nonce: 1n });
    bench.frame({ kind: "pong", nonce: 1n });
    expect(bench.connection.deadline).toBe(62_000);
    expect(bench.effects()).toEqual([]);
  });

  test("a stream that does not answer is replaced at once", () => {
    const bench = new Bench({ probeMs: 300 });
    bench.start();
    bench.connection.handle({ kind: "resumed" }, 0);
    bench.wake();
    expect(bench.effects()).toMatchObject([
      { kind: "abandon", stream: 1 },
      { kind: "state", state: { kind: "waiting", retryMs: 0 } },
    ]);
    expect(bench.connection.deadline).toBe(bench.now);
  });

  test("a wait for the next attempt is cut short, once for suspensions in quick succession", () => {
    const bench = new Bench();
    bench.end("unavailable");
    bench.effects();
    bench.connection.handle({ kind: "resumed" }, 10);
    expect(bench.effects()).toContainEqual({ kind: "open", stream: 2 });
    bench.stream = 2;
    bench.end("unavailable");
    bench.effects();
    bench.connection.handle({ kind: "resumed" }, 900);
    expect(bench.effects()).toEqual([]);
  });
});

describe("a bounded sync (C-5)", () => {
  test("asks for history, half-closes when it is complete, and is finished by OK", () => {
    const bench = new Bench({ historyOnly: true });
    bench.add();
    bench.connection.handle({ kind: "finish" }, 0);
    expect(bench.request()).toMatchObject({ kind: "mutate", mutate: { historyOnly: true } });
    expect(bench.request()).toBeUndefined();
    bench.start();
    bench.frame({ kind: "catchupComplete", mutateId: 1n });
    expect(bench.effects()).toEqual([{ kind: "catchupComplete", mutateId: 1n, topics: [topic] }]);
    expect(bench.request()).toEqual({ kind: "halfClose" });
    expect(bench.request()).toBeUndefined();
    bench.end("ok");
    expect(bench.effects()).toEqual([{ kind: "over", end: { kind: "finished" } }]);
  });

  test("is finished though the stream breaks, or falls silent, after the half-close", () => {
    for (const last of ["broken", "silent"] as const) {
      const bench = new Bench({ historyOnly: true });
      bench.connection.handle({ kind: "finish" }, 0);
      expect(bench.request()).toEqual({ kind: "halfClose" });
      bench.effects();
      if (last === "broken") bench.end("internal");
      else bench.wake();
      expect(bench.effects().at(-1)).toEqual({ kind: "over", end: { kind: "finished" } });
    }
  });

  test("asks again for what was not complete when the stream broke", () => {
    const bench = new Bench({ historyOnly: true });
    bench.add();
    bench.connection.handle({ kind: "finish" }, 0);
    bench.request();
    bench.start();
    bench.frame({ kind: "messages", lane: 1n, messages: [{ kind: GROUP, id: 4n, topic }] });
    bench.end("ok");
    bench.wake();
    expect(bench.request()).toMatchObject({ mutate: { id: 2n, adds: [{ topic, cursor: 4n }], historyOnly: true } });
  });
});

describe("the end of a stream", () => {
  /** protocol.md, "How a stream ends". A status that is not in its table is for us to decide. */
  const TABLE = {
    ok: "resumes",
    invalidArgument: "ends",
    resourceExhausted: "ends",
    permissionDenied: "ends",
    unauthenticated: "ends",
    deadlineExceeded: "resumes",
    unavailable: "resumes",
    aborted: "resumes",
  } as const satisfies Partial<Record<StatusName, "resumes" | "ends">>;

  test.each(Object.entries(TABLE))("by %s %s the connection", (status, outcome) => {
    const bench = new Bench();
    bench.start();
    const name = STATUS_NAMES.find((candidate) => candidate === status) ?? "unknown";
    bench.end(name);
    const kinds = bench.effects().map((effect) => effect.kind);
    expect(kinds).toEqual([outcome === "resumes" ? "state" : "over"]);
  });

  test("by a broken transport resumes the connection, by a refusal it is told", () => {
    expect(RESUMABLE.internal && RESUMABLE.unknown && RESUMABLE.cancelled).toBe(true);
    const bench = new Bench();
    bench.start();
    bench.end("unimplemented");
    const end = { kind: "refused", loss: { status: "unimplemented", detail: "why" } } as const;
    expect(bench.effects()).toEqual([{ kind: "over", end }]);
  });

  test("is known by its number", () => {
    expect([0, 4, 14, 16].map(statusName)).toEqual(["ok", "deadlineExceeded", "unavailable", "unauthenticated"]);
    expect(statusName(99)).toBe("unknown");
  });
});
