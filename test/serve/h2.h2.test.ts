import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { GROUP } from "../../src/core/topic";
import { StoreError } from "../../src/store/error";
import { GrpcClient } from "../support/h2-grpc";
import { TestNode } from "../support/h2-node";
import { testTopic } from "../support/memory-store";
import { until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";

const A = testTopic(GROUP, 1);
const B = testTopic(GROUP, 2);

describe("Subscribe, by a foreign gRPC client", () => {
  let node: TestNode;
  let client: GrpcClient;
  beforeAll(async () => {
    node = await TestNode.start();
    client = new GrpcClient(node.port);
  });
  afterAll(async () => {
    client[Symbol.dispose]();
    await node[Symbol.asyncDispose]();
  });

  test("R-1, R-2: Started is the first frame, at once, though the client has said nothing", async () => {
    const stream = client.subscribe();
    await until(() => stream.said.length > 0, "Started");
    expect(stream.said).toEqual([{ kind: "started", keepaliveMs: 30_000 }]);
    stream.call.cancel();
  });

  test("R-7, R-9, R-19, R-33: history in the wave, CatchupComplete, then live, exactly once", async () => {
    node.publish(A, 3);
    const stream = client.subscribe();
    stream.mutate(7n, { adds: [{ topic: A, cursor: 1n }] });
    await stream.completed(7n);
    node.publish(A, 2);
    await until(() => stream.idsOf(0n).length === 2, "live messages");
    expect(stream.said.map(({ kind }) => kind)).toEqual(["started", "messages", "topicsLive", "complete", "messages"]);
    expect(stream.idsOf(7n)).toEqual([2n, 3n]);
    expect(stream.idsOf(0n)).toEqual([4n, 5n]);
    stream.call.cancel();
  });

  test("R-22: a late Mutate adds a topic to a stream that lives, and takes one away", async () => {
    const stream = client.subscribe();
    stream.mutate(1n, { adds: [{ topic: A, cursor: 5n }] });
    await stream.completed(1n);
    stream.mutate(2n, { adds: [{ topic: B }], removes: [A] });
    await stream.completed(2n);
    node.publish(A);
    node.publish(B);
    await until(() => stream.idsOf(0n).length > 0, "a live message");
    expect(stream.idsOf(0n)).toEqual([7n]);
    stream.call.cancel();
  });

  test("R-44: a client's Ping is answered with its nonce, the largest there is included", async () => {
    const stream = client.subscribe();
    stream.ping(2n ** 64n - 1n);
    await stream.heard(({ kind }) => kind === "pong", "a Pong");
    expect(stream.said.at(-1)).toEqual({ kind: "pong", nonce: 2n ** 64n - 1n });
    stream.call.cancel();
  });

  test("R-46: half-closed with nothing in flight ends with OK at once", async () => {
    const stream = client.subscribe();
    stream.call.end();
    expect((await stream.ended()).code).toBe(0);
    expect(stream.count("started")).toBe(1);
  });

  test("R-45: half-closed in the middle of a wave, everything asked for is delivered and acked, then OK", async () => {
    const topic = testTopic(GROUP, 3);
    node.publish(topic, 2_000, 1_000);
    const stream = client.subscribe();
    stream.mutate(1n, { adds: [{ topic }], historyOnly: true });
    stream.mutate(2n, { removes: [A] });
    stream.call.end();
    expect((await stream.ended()).code).toBe(0);
    expect(stream.idsOf(1n).length).toBe(2_000);
    expect(stream.count("complete")).toBe(2);
  });

  test("R-45: with the store away a bounded sync ends with UNAVAILABLE in ten seconds; streams with nothing to read live on", async () => {
    const clock = new VirtualClock();
    await using away = await TestNode.start({ clock });
    using other = new GrpcClient(away.port);
    const live = other.subscribe();
    live.mutate(1n, { adds: [{ topic: A }] });
    await live.completed(1n);
    away.reader.failure = new StoreError("unreachable", "connection refused");
    const sync = other.subscribe();
    sync.mutate(1n, { adds: [{ topic: A }], historyOnly: true });
    sync.call.end();
    const streams = () => [...away.host.streams.entries()].map(([, stream]) => stream);
    await until(() => streams().every(({ account }) => account.wavesBegun === 1) && streams().length === 2, "its wave");
    for (let passedMs = 0; passedMs < 11_000 && sync.status === undefined; passedMs += 500)
      await clock.advanceAsync(500);
    const { code, details } = await sync.ended();
    expect([code, details]).toEqual([14, expect.stringContaining("the store could not be read")]);
    expect(live.status).toBeUndefined();
    away.reader.failure = undefined;
    away.publish(A);
    await until(() => {
      clock.advance(1_000);
      return live.idsOf(0n).length === 1;
    }, "what is live again");
  });
});
