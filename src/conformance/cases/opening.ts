import { SubscribeRequestSchema } from "../../wire/gen/mls/api/v1/mls_pb";
import { encodeInit } from "../../wire/init";
import { casesOf, expectThat, fail } from "../case";
import { CODE } from "../grpc";

/** `version` arm 9: from a future in which V1 is gone. */
const UNKNOWN_VERSION = Buffer.from([0x4a, 0x00]);
/** V1 with a request type 15, which nobody knows. */
const UNKNOWN_REQUEST = Buffer.from([0x0a, 0x02, 0x7a, 0x00]);

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
      const [a] = node.groups(1);
      if (a === undefined) return;
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
]);
