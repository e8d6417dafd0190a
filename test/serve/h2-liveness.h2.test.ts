import { describe, expect, test } from "bun:test";
import { GROUP } from "../../src/core/topic";
import { GrpcClient, SUBSCRIBE_PATH } from "../support/h2-grpc";
import { TestNode, until } from "../support/h2-node";
import { FRAME, PREFACE, RawH2Client } from "../support/h2-raw";
import { testTopic } from "../support/memory-store";

const KEEPALIVE_MS = 150;
/** How much later than due something may come on a busy machine, in milliseconds. */
const SLACK_MS = 1_000;

describe("liveness on a real wire", () => {
  test("R-42: a Ping comes within the interval of silence, and again after each Pong", async () => {
    await using node = await TestNode.start({ keepaliveMs: KEEPALIVE_MS });
    using client = new GrpcClient(node.port);
    const stream = client.subscribe();
    await until(() => stream.said.length > 0, "Started");
    const startedAt = performance.now();
    await until(() => stream.count("ping") === 3, "three Pings");
    const ms = performance.now() - startedAt;
    expect(ms).toBeGreaterThanOrEqual(3 * KEEPALIVE_MS - 20);
    expect(ms).toBeLessThan(3 * KEEPALIVE_MS + SLACK_MS);
    stream.call.cancel();
  });

  test("R-43: without its Pong the stream ends with DEADLINE_EXCEEDED, whatever else comes and goes", async () => {
    await using node = await TestNode.start({ keepaliveMs: KEEPALIVE_MS });
    using client = new GrpcClient(node.port);
    const stream = client.subscribe({ answering: false });
    const topic = testTopic(GROUP, 1);
    stream.mutate(1n, { adds: [{ topic }] });
    await stream.heard(({ kind }) => kind === "ping", "a Ping");
    const askedAt = performance.now();
    stream.pong(12_345n);
    stream.ping(1n);
    node.publish(topic);
    expect((await stream.ended()).code).toBe(4);
    expect(stream.status?.details).toContain(`${KEEPALIVE_MS} ms`);
    expect(performance.now() - askedAt).toBeGreaterThanOrEqual(KEEPALIVE_MS - 20);
    expect(performance.now() - askedAt).toBeLessThan(KEEPALIVE_MS + SLACK_MS);
    expect(stream.count("pong")).toBe(1);
    expect(stream.idsOf(0n)).toEqual([1n]);
    await until(() => node.outcomes.length === 1, "the stream to be let go of");
    expect(node.outcomes).toEqual(["noPong"]);
  });

  test("a connection whose client is gone is closed; one whose client only does not answer is not", async () => {
    await using node = await TestNode.start({
      keepaliveMs: KEEPALIVE_MS,
      guard: { pingAnswerMs: 100, lingerMs: 20 },
    });
    using silent = await RawH2Client.bare(node.port);
    silent.socket.write(PREFACE);
    silent.send(FRAME.settings, 0, 0);
    silent.request(1, SUBSCRIBE_PATH);
    using answering = await RawH2Client.open({ port: node.port });
    answering.request(1, SUBSCRIBE_PATH);
    await until(() => node.outcomes.length === 2, "both streams to be reaped");
    await until(() => silent.closed, "the connection to be closed");
    await answering.readByServer();
    expect(node.outcomes).toEqual(["noPong", "noPong"]);
    expect(answering.closed).toBe(false);
    expect(node.server.connections).toBe(1);
  });

  test("R-43: a Pong that has arrived but was not read when the time was up counts", async () => {
    await using node = await TestNode.start({ keepaliveMs: KEEPALIVE_MS });
    // A client of another process would do this unasked; here server and client share an event loop that stands still.
    using client = new GrpcClient(node.port);
    const stream = client.subscribe({ answering: false });
    await until(() => stream.said.some(({ kind }) => kind === "ping"), "a Ping");
    const nonce = stream.said.flatMap((said) => (said.kind === "ping" ? [said.nonce] : [])).at(-1) ?? 0n;
    stream.pong(nonce);
    // The Pong leaves in the next turn of the loop; the loop then stands still until long after the deadline.
    setImmediate(() => setImmediate(() => Bun.sleepSync(2 * KEEPALIVE_MS)));
    await until(() => stream.count("ping") === 2 || stream.status !== undefined, "the next Ping");
    expect(stream.status).toBeUndefined();
    stream.call.cancel();
  });
});
