import { casesOf } from "../case";
import { CODE } from "../client/grpc";
import { expectThat, fail } from "../failure";

/** A SubscribeRequest whose version is arm 9: from a future that has left V1 behind. */
const UNKNOWN_VERSION = Buffer.from([0x4a, 0x00]);
/** V1 with a request of type 15, which nobody knows yet. */
const UNKNOWN_REQUEST = Buffer.from([0x0a, 0x02, 0x7a, 0x00]);
/** V1 with nothing in it. */
const EMPTY_V1 = Buffer.from([0x0a, 0x00]);

export const OPENING = casesOf("opening", [
  {
    id: "started-before-any-request",
    rules: ["R-1"],
    promise: "Started comes at once, before the client has sent anything.",
    run: async (node) => {
      const stream = node.open();
      await stream.started();
    },
  },
  {
    id: "headers-before-any-request",
    rules: ["R-1"],
    promise: "The response headers come at once, before the client has sent anything.",
    run: async (node) => {
      const stream = node.open();
      await stream.until(() => stream.hasHeaders, "response headers");
    },
  },
  {
    id: "started-exactly-once",
    rules: ["R-1"],
    promise: "Started is the first frame and comes once, also when requests were sent at once.",
    run: async (node) => {
      const a = node.group();
      await node.publish(a, 3);
      const stream = node.open();
      stream.mutate(1n, { add: [a] });
      stream.ping(7n);
      await stream.complete(1n);
      await stream.barrier();
      expectThat(stream.frames[0]?.kind === "started", "Started first", stream.account());
      expectThat(stream.count("started") === 1, "one Started", `${stream.count("started")}`);
    },
  },
  {
    id: "keepalive-is-told",
    rules: ["R-2"],
    promise: "Started tells the cadence of Pings, above 0 and at most 30 s.",
    run: async (node) => {
      const stream = node.open();
      await stream.started();
      const [first] = stream.frames;
      if (first?.kind !== "started") fail("Started", stream.account());
      const ms = first.keepaliveMs;
      expectThat(ms > 0 && ms <= 30_000, "a keepalive interval from 1 to 30 000 ms", `${ms} ms`);
    },
  },
  {
    id: "many-streams-start",
    rules: ["R-1"],
    promise: "Fifty streams of one connection each get their Started at once.",
    run: async (node) => {
      const streams = Array.from({ length: 50 }, () => node.open());
      for (const stream of streams) await stream.started();
    },
  },
  {
    id: "mutates-before-started",
    rules: ["R-5"],
    promise: "Mutates may be sent, and pipelined, before Started has been read.",
    run: async (node) => {
      const a = node.group();
      const b = node.group();
      const ids = await node.publish(a, 2);
      const stream = node.open();
      stream.mutate(1n, { add: [a] });
      stream.mutate(2n, { add: [b] });
      stream.mutate(3n, { remove: [b] });
      for (const id of [1n, 2n, 3n]) await stream.complete(id);
      stream.expectIds(1n, a, ids);
    },
  },
  {
    id: "unknown-version-refused",
    rules: ["R-4"],
    promise: "A request without a known version arm ends the stream with INVALID_ARGUMENT.",
    run: async (node) => {
      const stream = node.open();
      stream.message(UNKNOWN_VERSION, "malformed");
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "empty-request-refused",
    rules: ["R-4"],
    promise: "A request of no bytes has no version: the stream ends with INVALID_ARGUMENT.",
    run: async (node) => {
      const stream = node.open();
      await stream.started();
      stream.message(Buffer.alloc(0), "malformed");
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "unknown-request-ignored",
    rules: ["R-5b"],
    promise: "V1 with a request type from the future is passed over, without an ack and without an error.",
    run: async (node) => {
      const stream = node.open();
      stream.message(UNKNOWN_REQUEST, "ignored");
      await stream.barrier();
      await stream.subscribe(1n, node.group());
    },
  },
  {
    id: "empty-v1-ignored",
    rules: ["R-5b"],
    promise: "V1 with no request in it is passed over, without an ack and without an error.",
    run: async (node) => {
      const stream = node.open();
      for (let n = 0; n < 3; n++) stream.message(EMPTY_V1, "ignored");
      await stream.barrier();
      expectThat(stream.frames.length === 2, "Started and a Pong only", stream.account());
    },
  },
]);
