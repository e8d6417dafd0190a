import { LIVE } from "../../core/frame";
import { casesOf } from "../case";
import { CODE } from "../client/grpc";
import { expectSame, expectThat } from "../failure";
import { blockedWave } from "./scenes";

export const HALF_CLOSE = casesOf("half-close", [
  {
    id: "half-close-at-rest",
    rules: ["R-46"],
    promise: "Half-closed with nothing in flight: the stream ends with OK at once.",
    run: async (node) => {
      const stream = node.open();
      await stream.subscribe(1n, node.group());
      stream.halfClose();
      await stream.endsWith(CODE.ok);
    },
  },
  {
    id: "half-close-before-anything",
    rules: ["R-1", "R-46"],
    promise: "A client that half-closes without a request hears Started, then OK.",
    run: async (node) => {
      const stream = node.open();
      stream.halfClose();
      await stream.endsWith(CODE.ok);
      expectThat(stream.count("started") === 1 && stream.frames.length === 1, "Started only", stream.account());
    },
  },
  {
    id: "half-close-behind-a-mutate",
    rules: ["R-45"],
    promise: "A Mutate sent just before the half-close is applied, its wave runs to the end, then OK.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 20);
      const stream = node.open();
      stream.mutate(1n, { add: [a] });
      stream.halfClose();
      await stream.endsWith(CODE.ok);
      stream.expectIds(1n, a, ids);
      expectSame(stream.completed, [1n], "CatchupCompletes");
    },
  },
  {
    id: "half-close-behind-many",
    rules: ["R-33", "R-45"],
    promise: "Forty pipelined Mutates and a half-close: each is applied and acked before OK.",
    run: async (node) => {
      const topics = node.groups(20);
      await node.publishAll(topics);
      const stream = node.open();
      const ids: bigint[] = [];
      for (const topic of topics) {
        ids.push(node.nextId());
        stream.mutate(ids.at(-1) ?? 0n, { add: [topic] });
        ids.push(node.nextId());
        stream.mutate(ids.at(-1) ?? 0n, { remove: [node.group()] });
      }
      stream.halfClose();
      await stream.endsWith(CODE.ok);
      expectSame(stream.completed.toSorted(), ids.toSorted(), "CatchupCompletes");
    },
  },
  {
    id: "half-close-mid-wave",
    rules: ["R-45"],
    promise: "Half-closed in the middle of a wave: it runs to its end, CatchupComplete included, then OK.",
    run: async (node) => {
      const { stream, long, longIds } = await blockedWave(node);
      stream.halfClose();
      await node.sleep(100);
      stream.resume();
      await stream.endsWith(CODE.ok);
      stream.expectIds(1n, long, longIds);
      expectThat(stream.completed.includes(1n), "the CatchupComplete of the wave", stream.account());
    },
  },
  {
    id: "live-while-draining",
    rules: ["R-45"],
    level: "strict",
    promise: "While waves run to their end after a half-close, live goes on.",
    run: async (node) => {
      const b = node.group();
      const { stream } = await blockedWave(node, { live: [b] });
      stream.halfClose();
      await node.sleep(50);
      const ids = await node.publish(b, 2);
      await node.sleep(50);
      stream.resume();
      await stream.endsWith(CODE.ok);
      stream.expectIds(LIVE, b, ids);
    },
  },
  {
    id: "pongs-before-the-end",
    rules: ["R-44", "R-45"],
    promise: "Pings sent before the half-close are answered before OK.",
    run: async (node) => {
      const stream = node.open();
      for (const nonce of [5n, 6n, 7n]) stream.ping(nonce);
      stream.halfClose();
      await stream.endsWith(CODE.ok);
      expectThat(stream.count("pong") === 3, "three Pongs", stream.account());
    },
  },
  {
    id: "nobody-is-reaped-while-draining",
    rules: ["R-45"],
    slow: true,
    promise: "After the half-close there are no Pings and nobody is reaped, however long the draining takes.",
    run: async (node) => {
      const { stream, long, longIds } = await blockedWave(node, { answering: false });
      stream.halfClose();
      // Read on a little now and then: a reader that takes nothing at all may be ended for that.
      for (let part = 0; part < 2; part++) {
        await node.sleep(0.8 * node.keepaliveMs);
        const before = stream.frames.length;
        stream.pauseAt(() => true);
        stream.resume();
        await stream.until(() => stream.frames.length > before, "the wave to go on");
      }
      await node.sleep(0.8 * node.keepaliveMs);
      stream.resume();
      await stream.endsWith(CODE.ok);
      stream.expectIds(1n, long, longIds);
      expectThat(stream.count("ping") === 0, "no Ping", stream.account());
    },
  },
  {
    id: "cancel-leaves-others-alone",
    rules: ["R-47"],
    promise: "A stream that is cancelled in the middle of a wave leaves the others of its connection alone.",
    run: async (node) => {
      const a = node.group();
      const connection = node.connect();
      const ids = await node.publish(a, 300, 1_000);
      const other = node.open({ connection });
      await other.started();
      for (let n = 0; n < 20; n++) {
        const stream = node.open({ connection });
        stream.mutate(1n, { add: [a] });
        await stream.started();
        stream.cancel();
      }
      await other.subscribe(1n, a);
      other.expectIds(1n, a, ids);
    },
  },
]);
