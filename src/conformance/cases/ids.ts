import { casesOf } from "../case";
import { CODE } from "../client/grpc";
import { expectSame } from "../failure";
import { blockedWave } from "./scenes";

export const IDS = casesOf("ids", [
  {
    id: "adds-need-an-id",
    rules: ["R-12"],
    promise: "A Mutate with adds and mutate_id 0 is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const stream = node.open();
      stream.mutate(0n, { add: [node.group()] });
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "history-only-adds-need-an-id",
    rules: ["R-12"],
    promise: "A history_only Mutate with adds and mutate_id 0 is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const stream = node.open();
      stream.mutate(0n, { add: [node.group()], historyOnly: true });
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "zero-id-without-adds",
    rules: ["R-15", "R-33"],
    promise: "A Mutate without adds may have mutate_id 0, and is acked with it.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.mutate(0n, { remove: [a] });
      await stream.complete(0n);
    },
  },
  {
    id: "several-zero-ids",
    rules: ["R-15", "R-33"],
    promise: "Several Mutates with mutate_id 0 may be outstanding; each is acked.",
    run: async (node) => {
      const stream = node.open();
      for (let n = 0; n < 10; n++) stream.mutate(0n, { remove: [node.group()] });
      await stream.complete(0n, 10);
      await stream.barrier();
      expectSame(
        stream.completed,
        Array.from({ length: 10 }, () => 0n),
        "CatchupCompletes",
      );
    },
  },
  {
    id: "id-in-flight-refused",
    rules: ["R-13"],
    promise: "A Mutate with the id of a wave in flight is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const { stream } = await blockedWave(node);
      stream.mutate(1n, { add: [node.group()] });
      await node.sleep(100);
      stream.resume();
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "id-in-flight-refused-without-adds",
    rules: ["R-13"],
    promise: "A Mutate that only removes may not have the id of a wave in flight either.",
    run: async (node) => {
      const { stream } = await blockedWave(node);
      stream.mutate(1n, { remove: [node.group()] });
      await node.sleep(100);
      stream.resume();
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "id-again-after-its-end",
    rules: ["R-14"],
    promise: "After the CatchupComplete of a wave its id may be used again.",
    run: async (node) => {
      const a = node.group();
      const b = node.group();
      const ids = await node.publish(b, 2);
      const stream = node.open();
      await stream.subscribe(7n, a);
      stream.mutate(7n, { add: [b] });
      await stream.complete(7n, 2);
      stream.expectIds(7n, b, ids);
    },
  },
  {
    id: "ids-need-not-ascend",
    rules: ["R-14"],
    promise: "Ids of Mutates may come in any order.",
    run: async (node) => {
      const stream = node.open();
      for (const id of [9n, 3n, 1_000_000n, 4n]) await stream.subscribe(id, node.group());
    },
  },
  {
    id: "highest-id",
    rules: ["R-10", "R-33"],
    promise: "The id may be any 64-bit number: 2^64-1 is echoed in tags and ack.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 3);
      const id = (1n << 64n) - 1n;
      const stream = node.open();
      await stream.subscribe(id, a);
      stream.expectIds(id, a, ids);
    },
  },
  {
    id: "ids-are-per-stream",
    rules: ["R-13"],
    promise: "Two streams of one connection may use the same id at the same time.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 20);
      const streams = [node.open(), node.open()];
      for (const stream of streams) stream.mutate(1n, { add: [a] });
      for (const stream of streams) {
        await stream.complete(1n);
        stream.expectIds(1n, a, ids);
      }
    },
  },
]);
