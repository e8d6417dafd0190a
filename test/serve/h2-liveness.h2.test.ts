import { describe, expect, test } from "bun:test";
import { GROUP } from "../../src/core/topic";
import { GrpcClient, SUBSCRIBE_PATH, type SubscribeCall, saidIn } from "../support/h2-grpc";
import { TestNode } from "../support/h2-node";
import { FRAME, PREFACE, RawH2Client } from "../support/h2-raw";
import { testTopic } from "../support/memory-store";
import { until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";

const KEEPALIVE_MS = 1_000;
/** Streams are woken in grains of time: a Ping or an end may come this much later than it is due. */
const GRAIN_MS = 250;
const PING_ANSWER_MS = 500;

/** The sockets are real, time passes when a test says so: no machine is too slow for these intervals, or too fast. */
function startNode(clock: VirtualClock): Promise<TestNode> {
  return TestNode.start({ clock, keepaliveMs: KEEPALIVE_MS, guard: { pingAnswerMs: PING_ANSWER_MS, lingerMs: 20 } });
}

const pingsOf = (stream: SubscribeCall) => until(() => stream.count("ping") > 0, "a Ping");

describe("liveness on a real wire", () => {
  test("R-42: a Ping comes within the interval of silence, and again after each Pong", async () => {
    const clock = new VirtualClock();
    await using node = await startNode(clock);
    using client = new GrpcClient(node.port);
    const stream = client.subscribe();
    await until(() => stream.said.length > 0, "Started");
    for (let pings = 1; pings <= 3; pings++) {
      clock.advance(KEEPALIVE_MS - 1);
      stream.ping(BigInt(pings));
      await until(() => stream.count("pong") === pings, "the answer to what was asked before the interval is over");
      expect(stream.count("ping")).toBe(pings - 1);
      // The Pong was a frame, with which the interval begins anew.
      clock.advance(KEEPALIVE_MS + GRAIN_MS);
      await until(() => stream.count("ping") === pings, `Ping number ${pings}`);
    }
    stream.call.cancel();
  });

  test("R-43: without its Pong the stream ends with DEADLINE_EXCEEDED, whatever else comes and goes", async () => {
    const clock = new VirtualClock();
    await using node = await startNode(clock);
    using client = new GrpcClient(node.port);
    const stream = client.subscribe({ answering: false });
    const topic = testTopic(GROUP, 1);
    stream.mutate(1n, { adds: [{ topic }] });
    await stream.completed(1n);
    clock.advance(KEEPALIVE_MS + GRAIN_MS);
    await pingsOf(stream);
    stream.pong(12_345n);
    stream.ping(1n);
    node.publish(topic);
    await until(() => stream.count("pong") === 1 && stream.idsOf(0n).length === 1, "a Pong and a message");
    clock.advance(KEEPALIVE_MS - GRAIN_MS - 1);
    stream.ping(2n);
    await until(() => stream.count("pong") === 2, "another Pong");
    clock.advance(2 * GRAIN_MS + 1);
    expect((await stream.ended()).code).toBe(4);
    expect(stream.status?.details).toContain(`${KEEPALIVE_MS} ms`);
    expect(stream.idsOf(0n)).toEqual([1n]);
    await until(() => node.outcomes.length === 1, "the stream to be let go of");
    expect(node.outcomes).toEqual(["noPong"]);
  });

  test("a connection whose client is gone is closed; one whose client only does not answer is not", async () => {
    const clock = new VirtualClock();
    await using node = await startNode(clock);
    using silent = await RawH2Client.bare(node.port);
    silent.socket.write(PREFACE);
    silent.send(FRAME.settings, 0, 0);
    silent.request(1, SUBSCRIBE_PATH);
    using answering = await RawH2Client.open({ port: node.port });
    answering.request(1, SUBSCRIBE_PATH);
    await until(() => node.host.streams.size === 2, "both streams");
    clock.advance(KEEPALIVE_MS + GRAIN_MS);
    const isAsked = (client: RawH2Client) => saidIn(client.bodyOf(1)).some(({ kind }) => kind === "ping");
    await until(() => isAsked(silent) && isAsked(answering), "their Pings");
    clock.advance(KEEPALIVE_MS + GRAIN_MS);
    await until(() => node.outcomes.length === 2, "both streams to be reaped");
    await answering.frame(({ type, flags }) => type === FRAME.ping && flags === 0, "a PING of the connection");
    await answering.readByServer();
    clock.advance(PING_ANSWER_MS);
    clock.advance(PING_ANSWER_MS);
    await until(() => silent.closed, "the connection to be closed");
    await answering.readByServer();
    expect(node.outcomes).toEqual(["noPong", "noPong"]);
    expect(answering.closed).toBe(false);
    expect(node.server.connections).toBe(1);
  });

  test("R-43: a Pong that has arrived but was not read when the time was up counts", async () => {
    const clock = new VirtualClock();
    await using node = await startNode(clock);
    // A client of another process would do this unasked; here server and client share an event loop that stands still.
    using client = new GrpcClient(node.port);
    const stream = client.subscribe({ answering: false });
    await until(() => stream.said.length > 0, "Started");
    clock.advance(KEEPALIVE_MS + GRAIN_MS);
    await pingsOf(stream);
    const nonce = stream.said.flatMap((said) => (said.kind === "ping" ? [said.nonce] : [])).at(-1) ?? 0n;
    stream.pong(nonce);
    // The Pong leaves in the next turn of the loop, in which the time is up, and over for long.
    setImmediate(() => setImmediate(() => clock.advance(2 * KEEPALIVE_MS)));
    await until(() => stream.count("ping") === 2 || stream.status !== undefined, "the next Ping");
    expect(stream.status).toBeUndefined();
    stream.call.cancel();
  });
});
