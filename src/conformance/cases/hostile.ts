import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { LIVE } from "../../core/frame";
import { SubscribeRequestSchema } from "../../wire/gen/mls/api/v1/mls_pb";
import { encodeInit } from "../../wire/init";
import { casesOf } from "../case";
import { CODE, envelope, showStatus } from "../client/grpc";
import type { NodeUnderTest } from "../client/node";
import { type ProbeStream, SUBSCRIBE_PATH } from "../client/probe-stream";
import { expectThat } from "../failure";

/** Runs an attack beside a stream on another connection, which has to live on and get its messages. */
async function besideANeighbour(node: NodeUnderTest, attack: () => Promise<void>): Promise<void> {
  const a = node.group();
  const neighbour = node.open();
  await neighbour.subscribe(1n, a);
  await attack();
  await neighbour.delivered(LIVE, a, await node.publish(a, 3));
  expectThat(neighbour.end === undefined, "the neighbour to live", neighbour.account());
}

/** A stream on a connection of its own that sends these bytes, then half-closes if told; it must not end well. */
async function attackStream(node: NodeUnderTest, bytes: Uint8Array, end: "half-closed" | "open"): Promise<void> {
  const stream: ProbeStream = node.open({ connection: node.connect() });
  await stream.started();
  stream.bytes(bytes);
  if (end === "half-closed") stream.halfClose();
  const status = await stream.ended();
  expectThat(status.code !== CODE.ok, "an end other than OK", showStatus(status));
}

/** One request by a path and headers of its own, and how it was answered. */
async function request(node: NodeUnderTest, headers: Readonly<Record<string, string>>) {
  let answer: { readonly httpStatus: number | undefined; readonly code: number | undefined } | undefined;
  const ended = (end: NonNullable<typeof answer>) => {
    answer = end;
    node.waiters.wake();
  };
  node
    .connect()
    .call(SUBSCRIBE_PATH, { headers: () => {}, data: () => {}, ended }, headers)
    .end();
  const instead = () => "none";
  return node.waiters.until(() => answer, { what: "an answer", withinMs: node.patienceMs, instead });
}

export const HOSTILE = casesOf("hostile input", [
  {
    id: "garbage-message",
    rules: ["R-4"],
    promise: "A message that is no protobuf ends its stream, not well, and nobody else's.",
    run: (node) =>
      besideANeighbour(node, () => attackStream(node, envelope(Buffer.from([0xff, 0xff, 0xff, 0xff])), "open")),
  },
  {
    id: "random-messages",
    rules: ["R-4"],
    promise: "Streams of random bytes in envelopes end or live, but never take the server with them.",
    run: (node) =>
      besideANeighbour(node, async () => {
        for (let n = 0; n < 20; n++) {
          const stream = node.open({ connection: node.connect() });
          stream.bytes(envelope(randomBytes(200)));
          await stream.started();
          stream.cancel();
        }
      }),
  },
  {
    id: "endless-length",
    rules: ["R-4"],
    promise: "A message that claims to have 4 GiB ends its stream at once instead of being waited for.",
    run: (node) =>
      besideANeighbour(node, () => attackStream(node, Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]), "open")),
  },
  {
    id: "cut-off-message",
    rules: ["R-4", "R-46"],
    promise: "A half-close in the middle of a message does not end the stream well.",
    run: (node) => besideANeighbour(node, () => attackStream(node, Buffer.from([0, 0, 0, 0, 9, 1, 2]), "half-closed")),
  },
  {
    id: "compressed-without-agreement",
    rules: ["R-4"],
    promise: "A message flagged as compressed, although no compression was agreed on, ends its stream, not well.",
    run: (node) => besideANeighbour(node, () => attackStream(node, Buffer.from([1, 0, 0, 0, 1, 0]), "open")),
  },
  {
    id: "unknown-fields-pass",
    rules: ["R-5b"],
    promise: "Fields that the server does not know, in a request that it does, are passed over.",
    run: async (node) => {
      const value = { request: { case: "ping", value: { nonce: 3n } } } as const;
      const known = encodeInit(SubscribeRequestSchema, { version: { case: "v1", value } });
      const stream = node.open();
      // Field 200, a varint, behind the version.
      stream.pingIn(3n, Buffer.concat([known, Buffer.from([0xc0, 0x0c, 0x01])]));
      await stream.until(() => stream.count("pong") === 1, "a Pong");
    },
  },
  {
    id: "one-byte-at-a-time",
    rules: ["R-5"],
    promise: "A request that arrives byte by byte is understood as any other.",
    run: async (node) => {
      const value = { request: { case: "ping", value: { nonce: 9n } } } as const;
      const bytes = encodeInit(SubscribeRequestSchema, { version: { case: "v1", value } });
      const stream = node.open();
      await stream.pingInPieces(9n, bytes, () => node.sleep(1));
      await stream.until(() => stream.count("pong") === 1, "a Pong");
    },
  },
  {
    id: "two-requests-in-one-piece",
    rules: ["R-5"],
    promise: "Many requests in one DATA frame are understood one by one.",
    run: async (node) => {
      const stream = node.open();
      for (let n = 1n; n <= 20n; n++) {
        stream.mutate(n, { remove: [node.group()] });
        stream.ping(n);
      }
      await stream.until(() => stream.count("pong") === 20 && stream.completed.length === 20, "20 acks and 20 Pongs");
    },
  },
  {
    id: "streams-are-reset",
    rules: ["R-47"],
    promise: "Two hundred streams that are opened and reset at once leave the server as it was.",
    run: (node) =>
      besideANeighbour(node, async () => {
        const connection = node.connect();
        for (let n = 0; n < 200; n++) {
          const stream = node.open({ connection });
          stream.mutate(1n, { add: [node.group()] });
          stream.cancel();
        }
        await node.open({ connection: node.connect() }).started();
      }),
  },
  {
    id: "connections-are-dropped",
    rules: ["R-47"],
    promise: "Connections that are dropped in the middle of a wave leave the server as it was.",
    run: (node) =>
      besideANeighbour(node, async () => {
        const { topic } = await node.longTopic();
        for (let n = 0; n < 5; n++) {
          const connection = node.connect(65_535);
          const stream = node.open({ connection });
          stream.mutate(1n, { add: [topic] });
          await stream.until(() => stream.idsOf(1n).length > 0, "the wave to begin");
          stream.cancel();
          connection[Symbol.dispose]();
        }
      }),
  },
  {
    id: "garbage-for-a-preface",
    rules: ["R-47"],
    promise: "A connection that begins with garbage harms nobody.",
    run: (node) =>
      besideANeighbour(node, async () => {
        const { hostname, port, protocol } = new URL(node.address);
        const socket = connect(Number(port) || (protocol === "https:" ? 443 : 80), hostname);
        socket.on("error", () => {});
        socket.end(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), randomBytes(4_000)]));
        await new Promise<void>((resolve) => socket.on("close", resolve).resume());
      }),
  },
  {
    id: "no-rpc-is-refused",
    rules: ["R-4"],
    promise: "A request that is no gRPC, by its content-type, is refused and not streamed to.",
    run: async (node) => {
      const answer = await request(node, { "content-type": "text/html" });
      const refused = (answer.httpStatus ?? 0) >= 400 || (answer.code !== undefined && answer.code !== CODE.ok);
      expectThat(refused, "a refusal", `HTTP status ${answer.httpStatus}, gRPC status ${answer.code}`);
    },
  },
  {
    id: "unknown-compression-refused",
    rules: ["C-7"],
    level: "strict",
    promise: "An encoding that nobody knows is UNIMPLEMENTED.",
    run: async (node) => {
      const answer = await request(node, { "grpc-encoding": "lzma" });
      expectThat(answer.code === CODE.unimplemented, "UNIMPLEMENTED (12)", `gRPC status ${answer.code}`);
    },
  },
]);
