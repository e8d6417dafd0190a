import { LIVE } from "../../core/frame";
import { casesOf } from "../case";
import { CODE } from "../client/grpc";
import { expectThat } from "../failure";
import { blockedWave } from "./scenes";

export const HISTORY_ONLY = casesOf("history_only", [
  {
    id: "history-then-markers",
    rules: ["R-37"],
    promise: "A history_only Mutate delivers what is stored, then TopicsLive and CatchupComplete.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 5);
      const stream = node.open();
      stream.mutate(1n, { add: [a], historyOnly: true });
      await stream.complete(1n);
      stream.expectIds(1n, a, ids);
      expectThat(stream.announced(a), "a TopicsLive that lists the topic", stream.account());
    },
  },
  {
    id: "history-only-of-nothing",
    rules: ["R-33", "R-37"],
    promise: "A history_only Mutate over a topic without messages ends as any other.",
    run: async (node) => {
      const stream = node.open();
      stream.mutate(1n, { add: [node.group(), node.welcome()], historyOnly: true });
      await stream.complete(1n);
    },
  },
  {
    id: "registers-nothing",
    rules: ["R-37"],
    promise: "After a history_only Mutate nothing comes live.",
    run: async (node) => {
      const [a, b] = [node.group(), node.group()];
      await node.publish(a, 2);
      const stream = node.open();
      await stream.subscribe(1n, b);
      stream.mutate(2n, { add: [a], historyOnly: true });
      await stream.complete(2n);
      await node.publish(a, 3);
      await stream.delivered(LIVE, b, await node.publish(b));
      expectThat(stream.idsOf(LIVE, a).length === 0, "nothing live of the topic", stream.account());
    },
  },
  {
    id: "ceiling-is-pinned",
    rules: ["R-36"],
    promise: "What is published after a history_only wave has begun comes on no lane.",
    run: async (node) => {
      const b = node.group();
      const { stream, own } = await blockedWave(node, { live: [b], historyOnly: true });
      const before = node.idsOf(own);
      await node.publish(own, 3);
      const witness = await node.publish(b);
      stream.resume();
      await stream.complete(1n);
      await stream.delivered(LIVE, b, witness);
      stream.expectIds(1n, own, before);
      stream.expectIds(LIVE, own, []);
    },
  },
  {
    id: "cursors-hold",
    rules: ["R-7", "R-36"],
    promise: "The cursors of a history_only Mutate are exclusive as all are.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 5);
      const stream = node.open();
      stream.mutate(1n, { add: [[a, ids[1] ?? 0n]], historyOnly: true });
      await stream.complete(1n);
      stream.expectIds(1n, a, ids.slice(2));
    },
  },
  {
    id: "finds-what-was-acked",
    rules: ["R-36"],
    promise:
      "Whoever was acked, on whatever connection, finds the message in a history_only sync that starts afterwards.",
    run: async (node) => {
      for (let n = 0; n < 10; n++) {
        const a = node.group();
        const ids = await node.publish(a, 2);
        const stream = node.open({ connection: node.connect() });
        stream.mutate(1n, { add: [a], historyOnly: true });
        await stream.complete(1n);
        stream.expectIds(1n, a, ids);
        stream.cancel();
      }
    },
  },
  {
    id: "bounded-sync",
    rules: ["R-37", "R-45"],
    promise: "history_only, then half-close: everything is delivered, then the stream ends with OK.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 10);
      const stream = node.open();
      stream.mutate(1n, { add: [a], historyOnly: true });
      stream.halfClose();
      await stream.endsWith(CODE.ok);
      stream.expectIds(1n, a, ids);
      expectThat(stream.completed.length === 1, "one CatchupComplete", stream.account());
    },
  },
  {
    id: "removes-apply",
    rules: ["R-38"],
    promise: "Removes in a history_only Mutate apply as in any other.",
    run: async (node) => {
      const [a, b, c] = [node.group(), node.group(), node.group()];
      const stream = node.open();
      await stream.subscribe(1n, a, b);
      stream.mutate(2n, { add: [c], remove: [a], historyOnly: true });
      await stream.complete(2n);
      await node.publish(a, 2);
      await stream.delivered(LIVE, b, await node.publish(b));
      expectThat(stream.idsOf(LIVE, a).length === 0, "nothing of the removed topic", stream.account());
    },
  },
  {
    id: "of-a-subscribed-topic-refused",
    rules: ["R-39"],
    promise: "Adding a subscribed topic as history_only is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.mutate(2n, { add: [a], historyOnly: true });
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "of-a-topic-removed-first",
    rules: ["R-23", "R-39"],
    promise: "A history_only Mutate may add a subscribed topic that it removes first; then it is subscribed no more.",
    run: async (node) => {
      const [a, b] = [node.group(), node.group()];
      const ids = await node.publish(a, 3);
      const stream = node.open();
      await stream.subscribe(1n, a, b);
      stream.mutate(2n, { remove: [a], add: [a], historyOnly: true });
      await stream.complete(2n);
      stream.expectIds(2n, a, ids);
      await node.publish(a, 2);
      await stream.delivered(LIVE, b, await node.publish(b));
      expectThat(stream.idsOf(LIVE, a).length === 0, "nothing live of the topic", stream.account());
    },
  },
  {
    id: "add-while-in-flight-refused",
    rules: ["R-39"],
    promise: "Adding a topic whose history_only replay is in flight is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const { stream, own } = await blockedWave(node, { historyOnly: true });
      stream.mutate(2n, { add: [own] });
      await node.sleep(100);
      stream.resume();
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "history-only-while-in-flight-refused",
    rules: ["R-39"],
    promise: "A second history_only add of a topic whose replay is in flight is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const { stream, own } = await blockedWave(node, { historyOnly: true });
      stream.mutate(2n, { add: [own], historyOnly: true });
      await node.sleep(100);
      stream.resume();
      await stream.endsWith(CODE.invalidArgument);
    },
  },
  {
    id: "remove-cancels-the-replay",
    rules: ["R-31", "R-33"],
    promise: "Removing a topic whose history_only replay is in flight cancels it; the wave completes over the rest.",
    run: async (node) => {
      const { stream, long, own } = await blockedWave(node, { historyOnly: true });
      stream.mutate(2n, { remove: [long] });
      await node.sleep(50);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
      stream.expectIds(1n, own, node.idsOf(own));
    },
  },
  {
    id: "remove-and-add-while-in-flight",
    rules: ["R-23", "R-31", "R-39"],
    promise: "A topic whose history_only replay is in flight may be added by a Mutate that removes it first.",
    run: async (node) => {
      const { stream, own } = await blockedWave(node, { historyOnly: true });
      const ids = node.idsOf(own);
      stream.mutate(2n, { remove: [own], add: [[own, ids[0] ?? 0n]] });
      await node.sleep(50);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
      stream.expectIds(2n, own, ids.slice(1));
      await stream.delivered(LIVE, own, await node.publish(own));
    },
  },
  {
    id: "subscribe-after-the-sync",
    rules: ["R-37", "R-39"],
    promise: "After the CatchupComplete of a history_only Mutate its topics can be added as any other.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 2);
      const stream = node.open();
      stream.mutate(1n, { add: [a], historyOnly: true });
      await stream.complete(1n);
      await stream.subscribe(2n, a);
      stream.expectIds(2n, a, ids);
      await stream.delivered(LIVE, a, await node.publish(a));
    },
  },
  {
    id: "sync-again",
    rules: ["R-36", "R-37"],
    promise: "One history_only Mutate after the other continues where the last one ended.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      let mark = 0n;
      for (let n = 0; n < 3; n++) {
        const ids = await node.publish(a, 3);
        const id = node.nextId();
        stream.mutate(id, { add: [[a, mark]], historyOnly: true });
        await stream.complete(id);
        stream.expectIds(id, a, ids);
        mark = ids.at(-1) ?? mark;
      }
    },
  },
]);
