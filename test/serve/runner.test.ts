import { describe, expect, test } from "bun:test";
import { createLogger, silentLogger } from "../../src/base/log";
import type { Frame } from "../../src/core/frame";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import type { SessionEvent } from "../../src/core/session/events";
import { GROUP, type Topic } from "../../src/core/topic";
import { createFeed, type RunningFeed } from "../../src/feed/feed";
import { createStreamHost, noStreamMetrics, type StreamHost, type StreamOutcome } from "../../src/serve/stream/host";
import { StreamRunner } from "../../src/serve/stream/runner";
import { StoreError } from "../../src/store/error";
import { encodeEntry } from "../../src/wire/entry";
import { type MemoryReader, MemoryStore, testTopic } from "../support/memory-store";
import { VirtualClock } from "../support/virtual-clock";

const KEEPALIVE_MS = 1_000;
const STALL_MS = 5_000;
const A = testTopic(GROUP, 1);

/** A feed on a store in memory, and as many streams as a test likes, all under virtual time. */
class Rig implements AsyncDisposable {
  readonly clock = new VirtualClock(1_000);
  readonly store = new MemoryStore(this.clock);
  readonly reader: MemoryReader = this.store.reader();
  readonly outcomes: StreamOutcome[] = [];
  readonly lines: string[] = [];
  readonly feed: RunningFeed;
  readonly host: StreamHost;

  constructor() {
    this.feed = createFeed({
      reader: this.reader,
      openAppender: (onCommitted) => this.store.appender(onCommitted),
      encode: encodeEntry,
      clock: this.clock,
      log: silentLogger,
      options: { tickMs: 3_600_000, pollMs: 3_600_000 },
    });
    this.host = createStreamHost({
      feed: this.feed,
      clock: this.clock,
      log: createLogger({ level: "debug", format: "json", write: (line) => this.lines.push(line), wallMs: () => 0 }),
      metrics: { ...noStreamMetrics, streamEnded: (_, outcome) => this.outcomes.push(outcome) },
      limits: DEFAULT_LIMITS,
      keepaliveMs: KEEPALIVE_MS,
      stallMs: STALL_MS,
      grainMs: 1,
    });
  }

  /** With this many messages of A in the store before there was a node. */
  static async start(messages = 0): Promise<Rig> {
    const rig = new Rig();
    for (let n = 0; n < messages; n++) rig.store.insert(A);
    await rig.feed.start();
    return rig;
  }

  stream(): Pulled {
    return new Pulled(this.host);
  }

  insert(topic: Topic, count: number): void {
    for (let n = 0; n < count; n++) this.store.insert(topic);
    this.feed.notified();
  }

  /** Lets time pass, and all that follows happen. */
  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
    await turns();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.feed[Symbol.asyncDispose]();
  }
}

/** A stream whose wire takes everything in each turn. */
class Pulled {
  readonly runner: StreamRunner;
  readonly frames: Frame[] = [];
  pulls = 0;

  constructor(host: StreamHost) {
    this.runner = new StreamRunner(host, { rpc: "Subscribe", protocol: "test", liveness: true }, () => this.pull());
    this.pull();
  }

  pull(): void {
    this.pulls++;
    for (let frame = this.runner.nextFrame(); frame !== undefined; frame = this.runner.nextFrame()) {
      this.frames.push(frame);
    }
  }

  add(id: bigint, topic: Topic): void {
    const adds = [{ topic, cursor: 0n }];
    this.runner.push({ kind: "mutate", mutate: { id, adds, removes: [], historyOnly: false } });
  }

  kinds(): readonly string[] {
    return this.frames.map(({ kind }) => kind);
  }
}

/** Lets immediates run, and what they lead to. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe("the runner of a stream", () => {
  test("R-1: Started is there before anything was asked, and before the store was", async () => {
    await using rig = await Rig.start();
    rig.reader.takeAsked();
    expect(rig.stream().frames).toEqual([{ kind: "started", keepaliveMs: KEEPALIVE_MS }]);
    expect(rig.reader.takeAsked()).toEqual([]);
  });

  test("a wave is read, announced and completed, and then messages come live", async () => {
    await using rig = await Rig.start();
    rig.insert(A, 3);
    const stream = rig.stream();
    stream.add(1n, A);
    await turns();
    expect(stream.kinds()).toEqual(["started", "messages", "topicsLive", "catchupComplete"]);
    rig.insert(A, 2);
    await turns();
    expect(stream.kinds().at(-1)).toBe("messages");
    expect(stream.runner.account).toMatchObject({ waveMessages: 3, liveMessages: 2, topics: 1 });
  });

  test("however much happens in a turn, the wire is asked once", async () => {
    await using rig = await Rig.start();
    const stream = rig.stream();
    const before = stream.pulls;
    for (let nonce = 1n; nonce <= 50n; nonce++) stream.runner.push({ kind: "ping", nonce });
    expect(stream.pulls).toBe(before);
    await turns();
    expect(stream.pulls).toBe(before + 1);
    expect(stream.frames.length).toBe(51);
  });

  test("R-42: a Ping comes at the interval to the millisecond, and any frame sent puts it off", async () => {
    await using rig = await Rig.start();
    const stream = rig.stream();
    await rig.pass(KEEPALIVE_MS / 2);
    stream.runner.push({ kind: "ping", nonce: 5n });
    await turns();
    await rig.pass(KEEPALIVE_MS - 1);
    expect(stream.kinds()).toEqual(["started", "pong"]);
    await rig.pass(1);
    expect(stream.kinds()).toEqual(["started", "pong", "ping"]);
  });

  test("R-42: what is received does not put the Ping off", async () => {
    await using rig = await Rig.start();
    const stream = rig.stream();
    await rig.pass(KEEPALIVE_MS - 1);
    stream.runner.push({ kind: "pong", nonce: 77n });
    await rig.pass(1);
    expect(stream.kinds()).toEqual(["started", "ping"]);
  });

  test("R-43: without a Pong the stream ends one interval after the Ping, and holds nothing any more", async () => {
    await using rig = await Rig.start();
    const before = rig.clock.armed;
    const stream = rig.stream();
    stream.add(1n, A);
    await rig.pass(KEEPALIVE_MS);
    await rig.pass(KEEPALIVE_MS - 1);
    expect(stream.kinds().at(-1)).toBe("ping");
    expect(stream.runner.end).toBeUndefined();
    expect(rig.feed.stats().watchedTopics).toBe(1);
    await rig.pass(1);
    expect(stream.runner.over?.reason).toBe("noPong");
    expect(rig.feed.stats().watchedTopics).toBe(0);
    expect(rig.clock.armed).toBe(before);
  });

  test("R-43: a Pong that comes in the turn in which the time is up still counts", async () => {
    await using rig = await Rig.start();
    const stream = rig.stream();
    await rig.pass(KEEPALIVE_MS);
    expect(stream.kinds()).toEqual(["started", "ping"]);
    rig.clock.advance(KEEPALIVE_MS);
    // The timer has fired; the socket is read in the turn after.
    await new Promise((resolve) => setImmediate(resolve));
    stream.runner.push({ kind: "pong", nonce: 1n });
    await turns();
    expect(stream.runner.end).toBeUndefined();
  });

  test("R-45: after half-close there is no Ping and no reaping", async () => {
    await using rig = await Rig.start();
    rig.insert(A, 1);
    const stream = rig.stream();
    stream.add(1n, A);
    stream.runner.push({ kind: "blocked" });
    stream.runner.push({ kind: "halfClosed" });
    await rig.pass(4 * KEEPALIVE_MS);
    expect(stream.runner.end).toBeUndefined();
    stream.runner.push({ kind: "flushed" });
    await turns();
    expect(stream.kinds()).toEqual(["started", "messages", "topicsLive", "catchupComplete"]);
    expect(stream.runner.over?.reason).toBe("finished");
  });

  test("a wire that makes no progress for the stall deadline ends the stream; any progress puts it off", async () => {
    await using rig = await Rig.start();
    const runner = new StreamRunner(rig.host, { rpc: "Old", protocol: "test", liveness: false });
    runner.push({ kind: "blocked" });
    await rig.pass(STALL_MS - 1);
    runner.push({ kind: "progress" });
    await rig.pass(STALL_MS - 1);
    expect(runner.end).toBeUndefined();
    await rig.pass(1);
    expect(runner.over?.reason).toBe("stalled");
  });

  test("a store that cannot be read ends the stream, with the reason for the log", async () => {
    await using rig = await Rig.start(1);
    rig.reader.failure = new StoreError("unreachable", "gone");
    const stream = rig.stream();
    stream.add(1n, A);
    for (let s = 0; s < 60 && stream.runner.end === undefined; s++) {
      const ping = stream.frames.filter(({ kind }) => kind === "ping").at(-1);
      if (ping?.kind === "ping") stream.runner.push({ kind: "pong", nonce: ping.nonce });
      await rig.pass(500);
    }
    expect(stream.runner.over?.reason).toBe("replayFailed");
    stream.runner.finish(true);
    expect(rig.outcomes).toEqual(["replayFailed"]);
  });

  test("R-47: cancelling in the middle of a replay lets go of the feed and the clock at once", async () => {
    await using rig = await Rig.start(500);
    const before = rig.clock.armed;
    const stream = rig.stream();
    stream.add(1n, A);
    stream.runner.finish(false);
    expect(rig.feed.stats()).toMatchObject({ watchedTopics: 0, subscribers: 0 });
    expect(rig.clock.armed).toBe(before);
    expect(rig.host.streams.size).toBe(0);
    await turns();
    expect(rig.feed.stats().replays).toBe(0);
    expect(stream.kinds()).toEqual(["started"]);
  });

  test("a good end that was not delivered is not logged as one", async () => {
    await using rig = await Rig.start();
    const stream = rig.stream();
    stream.runner.push({ kind: "halfClosed" });
    expect(stream.runner.over?.reason).toBe("finished");
    stream.runner.finish(false);
    stream.runner.finish(true);
    expect(rig.outcomes).toEqual(["cancelled"]);
  });

  test("a stream is logged twice: when it opens, and when it ends with its whole account", async () => {
    await using rig = await Rig.start();
    const stream = rig.stream();
    stream.runner.push({ kind: "ping", nonce: 1n });
    await rig.pass(10);
    stream.runner.finish(true);
    const lines = rig.lines.map((line) => JSON.parse(line));
    expect(lines.map(({ event }) => event)).toEqual(["stream opened", "stream ended"]);
    expect(lines[1]).toMatchObject({ level: "info", stream: 1, reason: "cancelled", ms: 10, frames: 2, pongs: 1 });
  });

  test("a fault of ours ends this stream alone, told as such", async () => {
    await using rig = await Rig.start();
    const other = rig.stream();
    const stream = rig.stream();
    stream.runner.offers([5]);
    stream.runner.offers([5]);
    expect(stream.runner.end).toEqual({ kind: "crashed" });
    expect(rig.lines.map((line) => JSON.parse(line)).at(-1)).toMatchObject({ level: "error", event: "stream crashed" });
    other.runner.push({ kind: "ping", nonce: 1n });
    await turns();
    expect(other.kinds()).toEqual(["started", "pong"]);
  });

  test("a shutdown ends every stream, and those that come after it", async () => {
    await using rig = await Rig.start();
    const before = rig.stream();
    rig.host.streams.shutdown();
    const after = rig.stream();
    await turns();
    expect([before, after].map(({ runner }) => runner.over?.reason)).toEqual(["shutdown", "shutdown"]);
  });
});

describe("the heartbeat as an iterator", () => {
  const open = (rig: Rig) => new StreamRunner(rig.host, { rpc: "Subscribe", protocol: "test", liveness: true });
  const halfClosed: SessionEvent = { kind: "halfClosed" };

  test("yields frames as they come, a Ping among them, and returns at the end", async () => {
    await using rig = await Rig.start();
    const runner = open(rig);
    const kinds: string[] = [];
    const reading = (async () => {
      for await (const frame of runner.frames(new AbortController().signal)) kinds.push(frame.kind);
    })();
    await turns();
    await rig.pass(KEEPALIVE_MS);
    expect(kinds).toEqual(["started", "ping"]);
    runner.push(halfClosed);
    await reading;
    expect(rig.outcomes).toEqual(["finished"]);
  });

  test("R-47: an abort lets go of everything though whoever pulls never comes back", async () => {
    await using rig = await Rig.start();
    const before = rig.clock.armed;
    const runner = open(rig);
    const gone = new AbortController();
    const frames = runner.frames(gone.signal);
    await frames.next();
    runner.push({
      kind: "mutate",
      mutate: { id: 1n, adds: [{ topic: A, cursor: 0n }], removes: [], historyOnly: false },
    });
    expect(rig.feed.stats().watchedTopics).toBe(1);
    gone.abort();
    expect(rig.feed.stats().watchedTopics).toBe(0);
    expect(rig.clock.armed).toBe(before);
    expect(rig.outcomes).toEqual(["cancelled"]);
  });

  test("whoever pulls no frame for the stall deadline has stalled", async () => {
    await using rig = await Rig.start();
    const runner = open(rig);
    const frames = runner.frames(new AbortController().signal);
    await frames.next();
    await rig.pass(STALL_MS);
    expect(runner.over?.reason).toBe("stalled");
    expect((await frames.next()).done).toBe(true);
  });
});
