import { describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import type { SessionAccount } from "../../src/core/session/account";
import { GROUP, topicBytes } from "../../src/core/topic";
import { SharedBudget } from "../../src/serve/byte-budget";
import { inEnvelope } from "../../src/serve/framing/envelope";
import { leave } from "../../src/serve/lifecycle";
import { SubscribeGroupMessagesRequestSchema } from "../../src/wire/gen/mls/api/v1/mls_pb";
import {
  envelopeOf,
  GrpcClient,
  mutateRequest,
  SUBSCRIBE_GROUPS_PATH,
  SUBSCRIBE_PATH,
  saidIn,
} from "../support/h2-grpc";
import { TestNode } from "../support/h2-node";
import { FLAG, FRAME, RawH2Client } from "../support/h2-raw";
import { testTopic } from "../support/memory-store";
import { AT_ONCE_MS, until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";

const A = testTopic(GROUP, 1);
const WINDOW_BYTES = 65_535;
/** A slice in the transport and as much behind it: what a stream may have waiting when all others have taken the rest. */
const LEAST_TURN_BYTES = 2 * 16 * 1_024;
/** Streams are woken in grains of time, in milliseconds. */
const GRAIN_MS = 250;
const GRACE_MS = 5_000;

/** A raw stream that watches a topic and lets the server send one window ahead. */
async function openWatching(client: RawH2Client, stream: number): Promise<void> {
  client.request(stream, SUBSCRIBE_PATH);
  client.data(stream, envelopeOf(mutateRequest(1n, { adds: [{ topic: A }] })));
  await until(() => saidIn(client.bodyOf(stream)).some(({ kind }) => kind === "complete"), "CatchupComplete");
}

function liveIds(client: RawH2Client, stream: number): readonly bigint[] {
  return saidIn(client.bodyOf(stream)).flatMap((said) =>
    said.kind === "messages" && said.lane === 0n ? said.ids : [],
  );
}

function accounts(node: TestNode): readonly SessionAccount[] {
  return Array.from(node.host.streams.entries(), ([, { account }]) => account);
}

/** The numbers from 1 to `count`. */
function idsTo(count: number): bigint[] {
  return Array.from({ length: count }, (_, n) => BigInt(n + 1));
}

function halfCloseAndReset(client: RawH2Client): void {
  client.data(1, Buffer.alloc(0), true);
  client.reset(1);
}

describe("readers that are slow, gone or dead", () => {
  test("I11, trap of ignored backpressure: a client that reads nothing costs a slice, and its neighbour gets all", async () => {
    await using node = await TestNode.start();
    using stalled = await RawH2Client.open({ port: node.port, windowBytes: WINDOW_BYTES });
    using client = new GrpcClient(node.port);
    await openWatching(stalled, 1);
    const neighbour = client.subscribe();
    neighbour.mutate(1n, { adds: [{ topic: A }] });
    await neighbour.completed(1n);
    for (let round = 1; round <= 20; round++) {
      node.publish(A, 100, 10_000);
      await until(() => neighbour.idsOf(0n).length === round * 100, "the neighbour's messages");
    }
    expect(neighbour.idsOf(0n)).toEqual(idsTo(2_000));
    expect(stalled.bodyOf(1).length).toBeLessThanOrEqual(WINDOW_BYTES);
    // Of 20 MB little more than the window was taken for it; the rest are offsets into the tail, which all share.
    const [first] = node.host.streams.entries();
    expect(first?.[1].account.liveMessages).toBeLessThan(200);
    expect(first?.[1].account.dueOffsets).toBeGreaterThan(1_800);
    neighbour.call.cancel();
  });

  test("a reader that takes nothing on one stream of its connection gets all on the others, whatever their order", async () => {
    for (const stalled of [1, 3]) {
      await using node = await TestNode.start();
      using client = await RawH2Client.open({ port: node.port, windowBytes: WINDOW_BYTES });
      const others = [1, 3, 5].filter((stream) => stream !== stalled);
      for (const stream of [1, 3, 5]) await openWatching(client, stream);
      for (const stream of others) client.widen(stream, 1 << 24);
      for (let round = 1; round <= 20; round++) {
        node.publish(A, 10, 1_000);
        for (const stream of others) await until(() => liveIds(client, stream).length === round * 10, "the messages");
      }
      for (const stream of others) expect(liveIds(client, stream)).toEqual(idsTo(200));
      expect(client.bodyOf(stalled).length).toBeLessThanOrEqual(WINDOW_BYTES);
    }
  });

  test("and so does a stream that Connect serves", async () => {
    await using node = await TestNode.start();
    using client = await RawH2Client.open({ port: node.port, windowBytes: WINDOW_BYTES });
    await openWatching(client, 1);
    client.request(3, "/xmtp.mls.api.v1.MlsApi/SubscribeGroupMessages", { "content-type": "application/grpc+json" });
    const groupId = Buffer.from(topicBytes(A)).subarray(1).toString("base64");
    client.data(3, inEnvelope(0, Buffer.from(JSON.stringify({ filters: [{ groupId }] }))), true);
    await until(() => node.feed.stats().subscribers === 2, "both to be subscribed");
    client.widen(3, 1 << 24);
    for (let round = 1; round <= 20; round++) {
      node.publish(A, 10, 1_000);
      await until(() => client.bodyOf(3).length > round * 10_000, "the messages");
    }
    expect(client.bodyOf(1).length).toBeLessThanOrEqual(WINDOW_BYTES);
  });

  test("I11: what is encoded for readers that take nothing is bounded for all of them together, and they miss nothing", async () => {
    const streams = Array.from({ length: 20 }, (_, n) => 2 * n + 1);
    const unsentBytes = 512 * 1024;
    await using node = await TestNode.start({ unsentBytes });
    using client = await RawH2Client.open({ port: node.port, windowBytes: WINDOW_BYTES });
    for (const stream of streams) await openWatching(client, stream);
    node.publish(A, 600, 1_000);
    for (const stream of streams) {
      await until(() => client.bodyOf(stream).length > WINDOW_BYTES - 20_000, "the window to be used up");
    }
    const encodedBytes = accounts(node).reduce((sum, { entryBytes }) => sum + entryBytes, 0);
    expect(encodedBytes).toBeLessThan(unsentBytes + streams.length * (WINDOW_BYTES + LEAST_TURN_BYTES));

    for (const stream of streams) client.widen(stream, 1 << 24);
    await until(() => accounts(node).every(({ liveMessages }) => liveMessages === 600), "all messages");
    for (const stream of streams) {
      await until(() => liveIds(client, stream).length === 600, "the last ones");
      expect(liveIds(client, stream)).toEqual(idsTo(600));
    }
    expect(node.host.unsent.bytes).toBe(0);
  });

  test("a reader that falls out of the tail and comes back is healed, in order, without a gap (I1, I2, R-16)", async () => {
    await using node = await TestNode.start({ limits: { dueOffsets: 50 } });
    using client = await RawH2Client.open({ port: node.port, windowBytes: WINDOW_BYTES });
    await openWatching(client, 1);
    for (let round = 0; round < 20; round++) {
      node.publish(A, 50, 1_000);
      await Bun.sleep(1);
    }
    await until(() => client.bodyOf(1).length > WINDOW_BYTES - 20_000, "the window to be used up");
    client.widen(1, 1 << 24);
    await until(() => liveIds(client, 1).length === 1_000, "all messages");
    expect(liveIds(client, 1)).toEqual(idsTo(1_000));
    const [first] = node.host.streams.entries();
    expect(first?.[1].account.healedMessages).toBeGreaterThan(0);
  });

  test("a reader that takes a little at a time is not a stalled one; one that takes nothing ends with ABORTED", async () => {
    const stallMs = 2_000;
    const clock = new VirtualClock();
    await using node = await TestNode.start({ stallMs, clock });
    using client = await RawH2Client.open({ port: node.port, windowBytes: WINDOW_BYTES });
    await openWatching(client, 1);
    node.publish(A, 40, 20_000);
    let taken = WINDOW_BYTES;
    await until(() => client.bodyOf(1).length === taken, "the window to be used up");
    for (let passedMs = 0; passedMs < 3 * stallMs; passedMs += stallMs / 2) {
      clock.advance(stallMs / 2);
      taken += 20_000;
      client.widen(1, 20_000);
      await until(() => client.bodyOf(1).length === taken, "a little more");
    }
    clock.advance(stallMs - 1);
    await client.readByServer();
    expect(node.outcomes).toEqual([]);
    // Its end cannot be delivered either, which is waited for in vain as well.
    await until(() => {
      clock.advance(GRAIN_MS);
      return node.outcomes.length === 1;
    }, "the stream's end");
    expect(node.outcomes).toEqual(["stalled"]);
  });

  test("the end of a stream whose client reads again in time arrives after all that was written", async () => {
    await using node = await TestNode.start();
    using client = await RawH2Client.open({ port: node.port, windowBytes: WINDOW_BYTES });
    client.request(1, SUBSCRIBE_PATH);
    node.publish(A, 200, 5_000);
    client.data(1, envelopeOf(mutateRequest(1n, { adds: [{ topic: A }], historyOnly: true })), true);
    await until(() => client.bodyOf(1).length > WINDOW_BYTES - 20_000, "the window to be used up");
    client.widen(1, 1 << 24);
    await until(() => client.framesOf(1).some(({ flags }) => (flags & FLAG.endStream) !== 0), "trailers");
    expect(client.framesOf(1).at(-1)?.type).toBe(FRAME.headers);
    const said = saidIn(client.bodyOf(1));
    expect(said.flatMap((one) => (one.kind === "messages" ? [...one.ids] : []))).toEqual(idsTo(200));
    expect(said.at(-1)).toEqual({ kind: "complete", id: 1n });
    await until(() => node.outcomes.length === 1, "the stream's end");
    expect(node.outcomes).toEqual(["finished"]);
  });

  for (const [how, leaveIt] of [
    ["cancels", (client: RawH2Client) => client.reset(1)],
    ["half-closes and cancels", halfCloseAndReset],
    ["resets its connection", (client: RawH2Client) => client.socket.resetAndDestroy()],
    ["closes its connection", (client: RawH2Client) => client.socket.destroy()],
  ] as const) {
    test(`R-47: when the client ${how}, everything is released at once`, async () => {
      await using node = await TestNode.start({ keepaliveMs: 30_000 });
      using client = await RawH2Client.open({ port: node.port, windowBytes: WINDOW_BYTES });
      await openWatching(client, 1);
      // With bytes that wait to be read, and a wave under way.
      node.publish(A, 100, 10_000);
      client.data(1, envelopeOf(mutateRequest(2n, { adds: [{ topic: A, cursor: 0n }], removes: [A] })));
      await until(() => client.bodyOf(1).length > WINDOW_BYTES - 20_000, "the window to be used up");
      leaveIt(client);
      await until(() => node.host.streams.size === 0, "the stream to be let go of", AT_ONCE_MS);
      expect(node.feed.stats()).toMatchObject({ watchedTopics: 0, subscribers: 0 });
      expect(node.host.unsent.bytes).toBe(0);
      expect(node.outcomes).toEqual(["cancelled"]);
    });
  }

  test("a client that asks and never reads is not listened to any more, and a Pong that comes in time is still seen", async () => {
    await using node = await TestNode.start({ keepaliveMs: 30_000 });
    using client = await RawH2Client.open({ port: node.port, windowBytes: 8_000 });
    await openWatching(client, 1);
    node.publish(A, 100, 1_000);
    await until(() => client.bodyOf(1).length > 7_000, "the window to be used up");
    // 4 096 Mutates, each of which is owed an answer.
    const one = envelopeOf(mutateRequest(0n, { removes: [A] }));
    client.data(1, Buffer.concat(Array.from({ length: 4_096 }, () => one)));
    await client.readByServer();
    const [first] = node.host.streams.entries();
    const taken = first?.[1].account.mutates ?? 0;
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(4_096);
    client.widen(1, 1 << 24);
    await until(
      () => saidIn(client.bodyOf(1)).filter(({ kind }) => kind === "complete").length === 4_097,
      "all answers",
    );
  });
});

describe("the older server streams", () => {
  test("headers at once, history above the cursor, then live, exactly once, until the client cancels", async () => {
    await using node = await TestNode.start();
    using client = new GrpcClient(node.port);
    node.publish(A, 3);
    const filters = [{ groupId: Buffer.from(A.slice(1), "latin1"), idCursor: 1n }];
    const call = client.subscribeGroups(create(SubscribeGroupMessagesRequestSchema, { filters }));
    const ids: bigint[] = [];
    let open = false;
    call.on("metadata", () => {
      open = true;
    });
    call.on("data", (message) => ids.push(message.version.value.id));
    call.on("error", () => {});
    await until(() => open, "headers");
    await until(() => ids.length === 2, "history");
    node.publish(A, 2);
    await until(() => ids.length === 4, "live messages");
    expect(ids).toEqual([2n, 3n, 4n, 5n]);
    call.cancel();
    await until(() => node.outcomes.length === 1, "the stream's end");
    expect(node.outcomes).toEqual(["cancelled"]);
  });

  test.each(["application/grpc", "application/grpc+json"])(
    "whose request is not whole in a minute are ended (%s), and hold nothing any more",
    async (type) => {
      const clock = new VirtualClock();
      const held = new SharedBudget();
      await using node = await TestNode.start({ clock, held });
      using raw = await RawH2Client.open({ port: node.port });
      raw.request(1, SUBSCRIBE_GROUPS_PATH, { "content-type": type });
      raw.data(1, Buffer.from([0, 0, 0, 0, 9, 1, 2, 3]));
      await until(() => held.freeBytes === held.maxBytes - 8, "the beginning of a request");
      clock.advance(59_999);
      await raw.readByServer();
      expect(raw.framesOf(1).some(({ type }) => type === FRAME.rstStream)).toBe(false);
      expect(held.freeBytes).toBe(held.maxBytes - 8);
      clock.advance(1);
      await until(() => held.freeBytes === held.maxBytes, "it to be let go of");
    },
  );

  test.each([
    ["application/grpc", Buffer.alloc(0)],
    ["application/grpc+json", Buffer.from("{}")],
  ])("whose request is whole last longer than that (%s)", async (type, request) => {
    const clock = new VirtualClock();
    await using node = await TestNode.start({ clock });
    using raw = await RawH2Client.open({ port: node.port });
    raw.request(1, SUBSCRIBE_GROUPS_PATH, { "content-type": type });
    raw.data(1, inEnvelope(0, request), true);
    await until(() => node.host.streams.size === 1 && raw.framesOf(1).length > 0, "the stream");
    await raw.readByServer();
    await clock.advanceAsync(300_000);
    await raw.readByServer();
    expect([node.host.streams.size, node.outcomes]).toEqual([1, []]);
  });

  test("without a filter, headers at once and silence until the client cancels: SDKs of new clients begin like that", async () => {
    await using node = await TestNode.start();
    using client = new GrpcClient(node.port);
    const call = client.subscribeGroups(create(SubscribeGroupMessagesRequestSchema, {}));
    let open = false;
    let heard = 0;
    call.on("metadata", () => {
      open = true;
    });
    call.on("data", () => heard++);
    call.on("error", () => {});
    await until(() => open, "headers");
    node.publish(A, 2);
    call.cancel();
    await until(() => node.outcomes.length === 1, "the stream's end");
    expect(node.outcomes).toEqual(["cancelled"]);
    expect(heard).toBe(0);
  });
});

describe("a node that goes down", () => {
  const leaveNode = ({ server, host }: TestNode, clock: VirtualClock) =>
    leave({ ports: [server], streams: host.streams, clock, log: host.log, graceMs: GRACE_MS });

  test("tells every stream UNAVAILABLE and lets its clients go before the deadline", async () => {
    await using node = await TestNode.start();
    using client = new GrpcClient(node.port);
    const streams = [client.subscribe(), client.subscribe()];
    await until(() => streams.every(({ said }) => said.length === 1), "Started");
    const clock = new VirtualClock();
    const left = leaveNode(node, clock);
    for (const stream of streams) expect((await stream.ended()).code).toBe(14);
    client[Symbol.dispose]();
    await left;
    expect(clock.armed).toBe(0);
    expect(node.outcomes).toEqual(["shutdown", "shutdown"]);
    expect(node.server.connections).toBe(0);
  });

  test("cuts a client that does not go when its time is up", async () => {
    await using node = await TestNode.start();
    using client = await RawH2Client.open({ port: node.port, windowBytes: 0 });
    client.request(1, SUBSCRIBE_PATH);
    await until(() => node.host.streams.size === 1, "the stream");
    const clock = new VirtualClock();
    const left = leaveNode(node, clock);
    clock.advance(GRACE_MS - 1);
    await client.frame(({ type }) => type === FRAME.goaway, "GOAWAY");
    expect(node.server.connections).toBe(1);
    clock.advance(1);
    await left;
    expect(node.server.connections).toBe(0);
  });

  test("takes no new call on a connection that stays", async () => {
    await using node = await TestNode.start();
    using client = await RawH2Client.open({ port: node.port, windowBytes: 0 });
    client.request(1, SUBSCRIBE_PATH);
    await until(() => node.host.streams.size === 1, "the stream");
    const clock = new VirtualClock();
    const left = leaveNode(node, clock);
    await client.frame(({ type }) => type === FRAME.goaway, "GOAWAY");
    client.request(3, SUBSCRIBE_PATH);
    await client.readByServer();
    clock.advance(GRACE_MS);
    await left;
    expect(client.framesOf(3).every(({ type }) => type === FRAME.rstStream)).toBe(true);
    expect(node.outcomes.length).toBe(1);
  });
});
