import { describe, expect, test } from "bun:test";
import type { Frame } from "../../../src/core/frame";
import { group, type RigOptions, SessionRig, welcome } from "./rig";

const A = group("a");
const B = group("b");

/** A stream on which `a` and `b` are live. */
function live(options: RigOptions = {}): SessionRig {
  const rig = new SessionRig(options);
  rig.add(1n, [A, B]);
  rig.settle();
  return rig;
}

const kindsOf = (frames: readonly Frame[]) => frames.map(({ kind }) => kind);

const idsOf = (frames: readonly Frame[], lane: bigint) =>
  frames.flatMap((frame) =>
    frame.kind === "messages" && frame.lane === lane ? frame.messages.map(({ id }) => id) : [],
  );

describe("what goes out first", () => {
  test("Started, then Pongs, then acks, then deliveries (R-1, R-34, R-44)", () => {
    const rig = new SessionRig();
    rig.store(A);
    rig.notice();
    rig.add(1n, [A]);
    rig.page(1);
    rig.mutate({ id: 2n, removes: [B] });
    rig.handle({ kind: "ping", nonce: 5n });
    rig.handle({ kind: "ping", nonce: 6n });
    expect(kindsOf(rig.drain())).toEqual([
      "started",
      "pong",
      "pong",
      "catchupComplete",
      "messages",
      "topicsLive",
      "catchupComplete",
    ]);
  });

  test("a Ping only when nothing else is due (R-42)", () => {
    const rig = live();
    rig.pass(30_000);
    rig.insert(A);
    expect(kindsOf(rig.drain())).toEqual(["messages"]);
  });

  test("keepalive without Pings says 0 and asks for no deadline", () => {
    const rig = new SessionRig({ keepaliveMs: undefined });
    expect(rig.take()).toEqual({ kind: "started", keepaliveMs: 0 });
    expect(rig.session.deadline).toBeUndefined();
  });
});

describe("deadlines", () => {
  test("a Pong that was received before the wake counts, however late it is handled (R-43)", () => {
    const rig = live();
    rig.pass(30_000);
    expect(rig.take()).toEqual({ kind: "ping", nonce: 1n });
    rig.now += 60_000;
    rig.handle({ kind: "pong", nonce: 1n });
    rig.handle({ kind: "wake" });
    expect(rig.session.over).toBeUndefined();
  });

  test("are those of the Ping, then of its Pong, exactly (R-42, R-43)", () => {
    const rig = live();
    expect(rig.session.deadline).toBe(30_000);
    rig.pass(30_000);
    rig.take();
    expect(rig.session.deadline).toBe(60_000);
  });

  test("a wake that comes too early changes nothing", () => {
    const rig = live();
    rig.now = 29_999;
    rig.handle({ kind: "wake" });
    expect([rig.take(), rig.session.over]).toEqual([undefined, undefined]);
  });

  test("a full wire has the stall deadline instead of the Ping's, and keeps the Pong's (R-42, R-43)", () => {
    const rig = live({ stallMs: 5_000 });
    rig.handle({ kind: "blocked" });
    expect(rig.session.deadline).toBe(5_000);
    rig.handle({ kind: "flushed" });
    rig.pass(30_000);
    rig.take();
    rig.handle({ kind: "blocked" });
    expect(rig.session.deadline).toBe(35_000);
  });
});

describe("replays", () => {
  test("have one page out at a time: the next is asked for when the last message was taken (I11)", () => {
    const rig = new SessionRig({ pageRows: 2, limits: { targetFrameBytes: 10 } });
    rig.store(A, A, A);
    rig.notice();
    rig.add(1n, [A]);
    rig.take();
    rig.page(1);
    rig.take();
    expect(rig.effects.map(({ kind }) => kind)).not.toContain("nextPage");
    rig.take();
    expect(rig.effects.at(-1)).toEqual({ kind: "nextPage", replay: 1 });
  });

  test("go on over empty pages", () => {
    const rig = new SessionRig();
    rig.add(1n, [A]);
    rig.handle({ kind: "page", replay: 1, messages: [], done: false });
    expect(kindsOf(rig.drain())).toEqual(["started"]);
    expect(rig.effects.at(-1)).toEqual({ kind: "nextPage", replay: 1 });
  });

  test("a healing reads each live topic above its floor or what the lane has passed, whichever is higher (R-8, R-16)", () => {
    const rig = live();
    rig.insert(A, B, B);
    rig.drain();
    rig.add(2n, [welcome("w")]);
    rig.insert(A);
    rig.tail.evict(0);
    rig.drain();
    expect(rig.effects.at(-1)).toEqual({
      kind: "startReplay",
      replay: 3,
      scope: { topics: [A, B], floors: [3n, 3n], ceilings: [4n, 0n] },
    });
  });

  test("a lagging lane without topics is not healed", () => {
    const rig = live();
    rig.insert(A);
    rig.tail.evict(0);
    rig.mutate({ id: 2n, removes: [A, B] });
    rig.drain();
    expect(rig.session.account.heals).toBe(0);
  });
});

describe("our own faults are exceptions", () => {
  test("offers that do not ascend", () => {
    const rig = live();
    rig.insert(A);
    expect(() => rig.handle({ kind: "offers", offsets: [1] })).toThrow("offers ascend");
  });

  test("a page before the last one was used up", () => {
    const rig = new SessionRig();
    rig.store(A);
    rig.add(1n, [A]);
    rig.handle({ kind: "page", replay: 1, messages: rig.stored, done: false });
    expect(() => rig.handle({ kind: "page", replay: 1, messages: [], done: true })).toThrow("replay 1");
  });
});

describe("bounds", () => {
  test("a peer that asks without reading is ended, not served from ever more memory (R-49)", () => {
    const rig = new SessionRig({ limits: { mutateBurst: 200_000 } });
    rig.handle({ kind: "blocked" });
    for (let i = 0; i <= 100_000; i++) rig.mutate({});
    expect(rig.session.over?.reason).toBe("overLimit");
  });

  test("a frame has no more than the wire has room for, but one message at least, and the rest follows (R-49)", () => {
    const rig = live({ entryBytes: 10 });
    rig.insert(A, A, A, A, A, A);
    const frames = [25, 5, 1_000].map((roomBytes) => rig.session.nextFrame(rig.now, roomBytes));
    expect(frames.map((frame) => idsOf(frame === undefined ? [] : [frame], 0n))).toEqual([
      [1n, 2n],
      [3n],
      [4n, 5n, 6n],
    ]);
  });

  test("what waits for a slow reader is integers, and no more of them than the limit (I11)", () => {
    const rig = live({ limits: { dueOffsets: 100 } });
    rig.handle({ kind: "blocked" });
    const lookups = rig.tail.lookups;
    for (let i = 0; i < 1_000; i++) {
      rig.insert(A);
      expect(rig.session.account.dueOffsets).toBeLessThanOrEqual(100);
    }
    expect(rig.tail.lookups).toBe(lookups);
    expect(rig.session.account.lagOffsets).toBe(1_000);
    rig.handle({ kind: "flushed" });
    expect(idsOf(rig.settle(), 0n)).toEqual(Array.from({ length: 1_000 }, (_, at) => BigInt(at + 1)));
    expect(rig.session.account.lagOffsets).toBe(0);
  });
});

describe("under more load than the wire takes", () => {
  /** Each round stores three messages and takes one frame of one message, while the tail keeps six. */
  function overload(rig: SessionRig, rounds: number): readonly Frame[] {
    const frames: Frame[] = [];
    for (let round = 0; round < rounds; round++) {
      rig.insert(A, B, B);
      rig.tail.evict(6);
      const frame = rig.take();
      if (frame === undefined) rig.serve();
      else frames.push(frame);
    }
    return frames;
  }

  test("a wave over a busy topic still completes (R-18, R-33)", () => {
    const rig = new SessionRig({ pageRows: 5, limits: { targetFrameBytes: 10, dueOffsets: 4 } });
    rig.add(1n, [A]);
    rig.settle();
    rig.insert(A, B, B, B);
    rig.add(2n, [B]);
    const frames = overload(rig, 500);
    expect(frames).toContainEqual({ kind: "catchupComplete", mutateId: 2n });
  });

  test("live is not starved by many waves, nor they by it (R-18)", () => {
    const rig = new SessionRig({ pageRows: 5, limits: { targetFrameBytes: 10, dueOffsets: 1_000 } });
    rig.add(1n, [A]);
    rig.settle();
    const topics = Array.from({ length: 100 }, (_, at) => group(`t${at}`));
    for (const each of topics) rig.store(each, each, each);
    rig.notice();
    for (const [at, each] of topics.entries()) rig.add(BigInt(at + 2), [each]);
    while (rig.serve());
    rig.insert(...Array.from({ length: 100 }, () => A));
    const lanes = rig.drain().flatMap((frame) => (frame.kind === "messages" ? [frame.lane] : []));
    const first = lanes.slice(0, 200);
    expect(first.filter((lane) => lane === 0n).length).toBe(100);
    expect(new Set(first).size).toBe(101);
  });

  test("once the load ends, everything has come once and in order (R-9, R-16, I1, I2, I3)", () => {
    const rig = live({ pageRows: 5, limits: { targetFrameBytes: 10, dueOffsets: 4 } });
    const frames = [...overload(rig, 300), ...rig.settle()];
    expect(idsOf(frames, 0n)).toEqual(rig.stored.map(({ id }) => id));
    expect(rig.session.account.healedMessages).toBeGreaterThan(0);
  });
});

describe("the account", () => {
  test("counts what the stream did", () => {
    const rig = new SessionRig({ entryBytes: 7 });
    rig.store(A, A);
    rig.notice();
    rig.add(1n, [A]);
    rig.settle();
    rig.insert(A);
    rig.drain();
    rig.insert(A);
    rig.tail.evict(0);
    rig.settle();
    rig.handle({ kind: "ping", nonce: 1n });
    rig.drain();
    expect(rig.session.account).toEqual({
      topics: 1,
      mutates: 1,
      wavesBegun: 1,
      wavesComplete: 1,
      waves: 0,
      replays: 2,
      heals: 1,
      liveMessages: 1,
      waveMessages: 2,
      healedMessages: 1,
      frames: 7,
      entryBytes: 28,
      pings: 0,
      pongs: 1,
      offers: 2,
      unwantedOffers: 0,
      rereadOffers: 1,
      storeRows: 3,
      unwantedRows: 0,
      foldedMessages: 0,
      heldOffsets: 0,
      rowsInHand: 0,
      dueOffsets: 0,
      lagOffsets: 0,
      maxLagOffsets: 1,
    });
  });
});
