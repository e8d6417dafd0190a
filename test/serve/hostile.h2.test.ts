import { heapStats } from "bun:jsc";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import http2 from "node:http2";
import { GROUP } from "../../src/core/topic";
import { SharedBudget } from "../../src/serve/byte-budget";
import { envelopeOf, GrpcClient, mutateRequest, SUBSCRIBE_PATH, type SubscribeCall } from "../support/h2-grpc";
import { TestNode, type TestNodeOptions } from "../support/h2-node";
import { FLAG, FRAME, headerBlock, PREFACE, RawH2Client, rawFrame, uint32 } from "../support/h2-raw";
import { testTopic } from "../support/memory-store";
import { AT_ONCE_MS, PATIENCE_MS, until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";

const A = testTopic(GROUP, 1);
const MiB = 1024 * 1024;
const REFUSED_STREAM = 7;
/** Of each of the connections that leave nothing behind, not even an object for each stream. */
const STREAMS = 20;
/** Of frames that HTTP/2 has to ignore. */
const UNKNOWN_TYPE = 0xfa;

/** Each test is one attack; beside it a neighbour on a connection of its own has to live on and get its messages. */
describe("hostile clients", () => {
  let node: TestNode;
  let client: GrpcClient;
  let neighbour: SubscribeCall;

  const options: TestNodeOptions = {
    maxRequestBytes: 4 * MiB,
    maxConcurrentStreams: 100,
    guard: {
      lingerMs: 20,
      settingsBurst: 20,
      settingsPerSecond: 1,
      pingBurst: 50,
      pingsPerSecond: 1,
      resetBurst: 200,
      resetsPerSecond: 10,
      refusedStreams: 1_000,
      heldRequestBytes: 1.5 * MiB,
      otherBytesPerSecond: 0.1 * MiB,
      otherBytesBurst: MiB,
    },
  };

  beforeEach(async () => {
    node = await TestNode.start(options);
    client = new GrpcClient(node.port);
    neighbour = client.subscribe();
    neighbour.mutate(1n, { adds: [{ topic: A }] });
    await neighbour.completed(1n);
  });

  afterEach(async () => {
    node.publish(A, 3);
    await until(() => neighbour.idsOf(0n).length === 3, "the neighbour's messages");
    expect(neighbour.status).toBeUndefined();
    await until(() => node.server.connections === 1 && node.host.streams.size === 1, "what the attack left to be gone");
    client[Symbol.dispose]();
    await node[Symbol.asyncDispose]();
  });

  /** Statuses of streams that ended other than by cancelling. */
  const refusals = () => node.outcomes.filter((outcome) => outcome !== "cancelled");

  /** One stream that sends these bytes as its body: resolves when the server has ended it. */
  async function attackStream(raw: RawH2Client, body: Uint8Array, end = false): Promise<void> {
    raw.request(1, SUBSCRIBE_PATH);
    raw.data(1, body, end);
    await until(() => raw.framesOf(1).some(({ flags }) => (flags & FLAG.endStream) !== 0), "the stream's end");
  }

  test("a length prefix of 4 GiB ends its stream at once, and the connection lives on", async () => {
    using raw = await RawH2Client.open({ port: node.port });
    const before = process.memoryUsage().rss;
    await attackStream(raw, Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    expect(process.memoryUsage().rss - before).toBeLessThan(1_024 * MiB);
    raw.request(3, SUBSCRIBE_PATH);
    await until(() => raw.bodyOf(3).length > 0, "Started on another stream of the connection");
    expect(refusals()).toEqual(["refused"]);
  });

  test("messages that are no protobuf, cut off, flagged as compressed or as an end each end their stream", async () => {
    const bodies = [
      Buffer.from([0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0, 0, 0, 0, 9, 1, 2]),
      Buffer.from([1, 0, 0, 0, 1, 0]),
      Buffer.from([2, 0, 0, 0, 2, 0x7b, 0x7d]),
      Buffer.from([0x80, 0, 0, 0, 0]),
    ];
    for (const body of bodies) {
      using raw = await RawH2Client.open({ port: node.port });
      await attackStream(raw, body, true);
    }
    await until(() => node.outcomes.length === bodies.length, "the streams to be let go of");
    expect(node.outcomes).toEqual(["badRequest", "refused", "refused", "refused", "refused"]);
  });

  test("requests that are never finished may hold so much per connection, and no more", async () => {
    const session = http2.connect(`http://127.0.0.1:${node.port}`);
    const part = Buffer.concat([Buffer.from([0, 0, 0x40, 0, 0]), Buffer.alloc(MiB)]);
    const calls = [1, 2].map(() => {
      const headers = { ":method": "POST", ":path": SUBSCRIBE_PATH, "content-type": "application/grpc" };
      const call = session.request(headers);
      call.on("error", () => {});
      call.write(part);
      return call;
    });
    await until(() => refusals().length === 1, "one of the streams to end");
    expect(node.host.streams.size).toBe(2);
    for (const call of calls) call.close();
    session.destroy();
  });

  test("requests that are never finished may hold so much on all connections: who asks for more is refused, in words", async () => {
    const begin = (port: number, bytes: number) => {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      const headers = { ":method": "POST", ":path": SUBSCRIBE_PATH, "content-type": "application/grpc" };
      const call = session.request(headers);
      call.on("error", () => {});
      call.write(Buffer.concat([Buffer.from([0, 0, 0x40, 0, 0]), Buffer.alloc(bytes)]));
      return session;
    };
    const held = new SharedBudget(4 * MiB);
    await using crowded = await TestNode.start({ ...options, held });
    const sessions = Array.from({ length: 20 }, () => begin(crowded.port, 0.9 * MiB));
    await until(() => crowded.ended.length >= 16, "those that are too many to be refused");
    const words = crowded.log.find(({ event }) => event === "stream ended")?.["detail"];
    expect(words).toStartWith("wanted at most 4194304 bytes of unfinished requests on all connections,");
    expect(held.freeBytes).toBeGreaterThan(0);
    // A request of a usual size is not among those that ask for too much.
    using client = new GrpcClient(crowded.port);
    const stream = client.subscribe();
    stream.mutate(1n, { adds: [{ topic: A }] });
    await stream.completed(1n);
    for (const session of sessions) session.destroy();
    await until(() => held.freeBytes === held.maxBytes, "what they held to be let go of");
  });

  test("a connection that begins with garbage is closed", async () => {
    for (const garbage of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u0000".repeat(5_000), "PRI * HTTP/2.0\r\n\r\nXX"]) {
      using raw = await RawH2Client.bare(node.port);
      raw.socket.write(garbage);
      await until(() => raw.closed, "the connection to be closed");
    }
  });

  test("a frame longer than was agreed ends its connection", async () => {
    using raw = await RawH2Client.open({ port: node.port });
    raw.request(1, SUBSCRIBE_PATH);
    raw.send(FRAME.data, 0, 1, Buffer.alloc(1 << 20));
    await until(() => raw.closed, "the connection to be closed");
  });

  test("frames that make no sense end their connection", async () => {
    const nonsense = [
      rawFrame(FRAME.data, 0, 0, Buffer.alloc(4)),
      rawFrame(FRAME.windowUpdate, 0, 0, uint32(0)),
      rawFrame(FRAME.continuation, 0, 5, Buffer.alloc(4)),
      rawFrame(FRAME.settings, 0, 0, Buffer.alloc(5)),
      rawFrame(FRAME.headers, FLAG.endHeaders, 1, Buffer.alloc(64, 0xff)),
    ];
    for (const bytes of nonsense) {
      using raw = await RawH2Client.open({ port: node.port });
      raw.socket.write(bytes);
      await until(() => raw.closed, "the connection to be closed");
    }
  });

  test("a header block without end, and one with too much in it, are cut without being collected", async () => {
    const junk = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`x-junk-${n}`, "v".repeat(100)]));
    const block = headerBlock(SUBSCRIBE_PATH, junk);
    using endless = await RawH2Client.open({ port: node.port });
    endless.send(FRAME.headers, 0, 1, block);
    let sentBytes = block.length;
    for (; !endless.closed && sentBytes < 64 * MiB; sentBytes += block.length) {
      endless.send(FRAME.continuation, 0, 1, block);
      await new Promise(setImmediate);
    }
    expect(endless.closed).toBe(true);
    expect(sentBytes).toBeLessThan(4 * MiB);
    expect(node.host.streams.size).toBe(1);
  });

  test("resets by the thousand end their connection, and leave no stream behind", async () => {
    using raw = await RawH2Client.open({ port: node.port });
    for (let n = 0; n < 5_000 && !raw.closed; n++) {
      raw.request(1 + 2 * n, SUBSCRIBE_PATH);
      raw.reset(1 + 2 * n);
    }
    await until(() => raw.closed, "the connection to be closed");
    await until(() => node.host.streams.size === 1, "the streams to be let go of");
    expect(node.outcomes.length).toBeLessThan(1_000);
    expect(refusals()).toEqual([]);
  });

  test("more streams than were agreed are refused, the others live", async () => {
    using raw = await RawH2Client.open({ port: node.port });
    for (let n = 0; n < 450; n++) raw.request(1 + 2 * n, SUBSCRIBE_PATH);
    await raw.readByServer();
    expect(node.host.streams.size).toBe(101);
    const resets = raw.frames.filter(({ type }) => type === FRAME.rstStream);
    expect(resets.map(({ payload }) => payload.readUInt32BE(0))).toEqual(new Array(350).fill(REFUSED_STREAM));
    await until(() => raw.bodyOf(1).length > 0, "Started on the first");
  });

  test("streams beyond the agreed ones without end are the end of their connection", async () => {
    using raw = await RawH2Client.open({ port: node.port });
    for (let n = 0; n < 1_500; n++) raw.request(1 + 2 * n, SUBSCRIBE_PATH);
    await until(() => raw.closed, "the connection to be closed");
  });

  test("PINGs by the thousand end their connection", async () => {
    using raw = await RawH2Client.open({ port: node.port });
    for (let n = 0; n < 2_000 && !raw.closed; n++) raw.send(FRAME.ping, 0, 0, Buffer.alloc(8));
    await until(() => raw.closed, "the connection to be closed");
  });

  test("SETTINGS by the thousand end their connection", async () => {
    using raw = await RawH2Client.open({ port: node.port });
    for (let n = 0; n < 2_000 && !raw.closed; n++) raw.send(FRAME.settings, 0, 0);
    await until(() => raw.closed, "the connection to be closed");
  });

  test("frames of which nobody hears are noticed by their bytes, and end their connection", async () => {
    const frames = [
      rawFrame(FRAME.priority, 0, 1, Buffer.from([0, 0, 0, 3, 16])),
      rawFrame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)),
      rawFrame(UNKNOWN_TYPE, 0, 0, Buffer.alloc(8)),
    ];
    for (const frame of frames) {
      using raw = await RawH2Client.open({ port: node.port });
      const many = Buffer.concat(new Array(4_096).fill(frame));
      for (const end = performance.now() + PATIENCE_MS; !raw.closed && performance.now() < end; ) {
        await new Promise<void>((resolve) => raw.socket.write(many, () => setImmediate(resolve)));
      }
      expect(raw.closed).toBe(true);
    }
  });

  test("requests of many bytes, sent for as long as a flood would be noticed in, are none", async () => {
    const session = http2.connect(`http://127.0.0.1:${node.port}`);
    const call = session.request({
      ":method": "POST",
      ":path": SUBSCRIBE_PATH,
      "content-type": "application/grpc",
    });
    call.on("error", () => {});
    call.resume();
    // A request of a type that the node does not know, which it ignores.
    const request = Buffer.concat([
      Buffer.from([0, 0, 1, 0, 8, 0x0a, 0x84, 0x80, 0x04, 0x7a, 0x80, 0x80, 0x04]),
      Buffer.alloc(65_536),
    ]);
    let sentBytes = 0;
    for (const end = performance.now() + 1_500; performance.now() < end || sentBytes < 8 * MiB; ) {
      await new Promise<void>((resolve) => call.write(request, () => resolve()));
      sentBytes += request.length;
    }
    await until(() => node.ignoredRequests.length * 65_536 > 8 * MiB, "the requests to be read");
    expect(session.destroyed).toBe(false);
    session.destroy();
  });

  test("a TCP reset in the middle of everything releases all streams of the connection", async () => {
    using raw = await RawH2Client.open({ port: node.port });
    for (let n = 0; n < 50; n++) {
      raw.request(1 + 2 * n, SUBSCRIBE_PATH);
      raw.data(1 + 2 * n, envelopeOf(mutateRequest(1n, { adds: [{ topic: A }] })));
    }
    await until(() => node.host.streams.size === 51, "the streams");
    raw.socket.resetAndDestroy();
    await until(() => node.host.streams.size === 1, "the streams to be let go of", AT_ONCE_MS);
    expect(node.feed.stats().subscribers).toBe(1);
  });

  test("a hundred connections that do all of it leave neither memory nor connections behind", async () => {
    const attack = async () => {
      using raw = await RawH2Client.open({ port: node.port, windowBytes: 100 });
      for (let n = 0; n < STREAMS; n++) {
        raw.request(1 + 2 * n, SUBSCRIBE_PATH);
        raw.data(1 + 2 * n, Buffer.concat([Buffer.from([0, 0, 3, 0, 0]), Buffer.alloc(10_000)]));
      }
      await raw.readByServer();
      raw.socket.resetAndDestroy();
    };
    for (let n = 0; n < 20; n++) await attack();
    // Objects, because what the engine keeps of the memory that it was given back is its own affair.
    const objects = () => {
      node.ended.splice(0);
      node.log.splice(0);
      Bun.gc(true);
      return heapStats().objectCount;
    };
    const before = objects();
    for (let n = 0; n < 80; n++) await attack();
    await until(() => node.server.connections === 1, "the connections to be gone");
    expect(objects() - before).toBeLessThan(80 * STREAMS);
  });
});

/** By the node's time: a machine that stands still harms nobody else. */
describe("connections that do nothing", () => {
  const HANDSHAKE_MS = 10_000;
  const IDLE_MS = 60_000;
  const guard = { handshakeMs: HANDSHAKE_MS, idleMs: IDLE_MS, lingerMs: 20 };

  test("one that says nothing, or half a preface, is closed when its time is up", async () => {
    const clock = new VirtualClock();
    await using node = await TestNode.start({ clock, guard });
    using silent = await RawH2Client.bare(node.port);
    using slow = await RawH2Client.bare(node.port);
    slow.socket.write(PREFACE.subarray(0, 10));
    await until(() => node.server.connections === 2, "both connections");
    clock.advance(HANDSHAKE_MS - 1);
    using late = await RawH2Client.open({ port: node.port });
    await late.readByServer();
    expect([silent.closed, slow.closed]).toEqual([false, false]);
    clock.advance(1 + guard.lingerMs);
    await until(() => silent.closed && slow.closed, "both to be closed");
    await late.readByServer();
  });

  test("one without a stream and without a PING is closed when it has been idle", async () => {
    const clock = new VirtualClock();
    await using node = await TestNode.start({ clock, guard });
    using raw = await RawH2Client.open({ port: node.port });
    await raw.readByServer();
    clock.advance(IDLE_MS - 1);
    await raw.readByServer();
    clock.advance(IDLE_MS - 1);
    expect(node.server.connections).toBe(1);
    clock.advance(1 + guard.lingerMs);
    await until(() => raw.closed, "the connection to be closed");
    expect(raw.frames.some(({ type }) => type === FRAME.goaway)).toBe(true);
  });
});
