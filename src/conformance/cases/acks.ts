import { casesOf } from "../case";
import { expectSame, expectThat } from "../failure";
import { blockedWave } from "./scenes";

export const ACKS = casesOf("acks", [
  {
    id: "empty-mutate-acked",
    rules: ["R-33"],
    promise: "A Mutate that asks for nothing is acked, with its id.",
    run: async (node) => {
      const stream = node.open();
      stream.mutate(5n, {});
      await stream.complete(5n);
    },
  },
  {
    id: "removes-only-acked",
    rules: ["R-33"],
    promise: "A Mutate that only removes is acked.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.mutate(2n, { remove: [a] });
      await stream.complete(2n);
    },
  },
  {
    id: "remove-of-unknown-acked",
    rules: ["R-30", "R-33"],
    promise: "Removing a topic that is not subscribed changes nothing and is acked.",
    run: async (node) => {
      const stream = node.open();
      stream.mutate(1n, { remove: [node.group(), node.welcome()] });
      await stream.complete(1n);
      expectThat(stream.count("topicsLive") === 0, "no TopicsLive", stream.account());
    },
  },
  {
    id: "empty-topic-acked",
    rules: ["R-33", "R-35"],
    promise: "A wave over a topic without any message ends: TopicsLive, then CatchupComplete.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      await stream.subscribe(1n, a);
      expectThat(stream.announced(a), "a TopicsLive that lists the topic", stream.account());
    },
  },
  {
    id: "thousand-empty-topics-acked",
    rules: ["R-33", "R-35"],
    promise: "A wave over a thousand topics without any message ends, each topic listed by one TopicsLive.",
    run: async (node) => {
      const topics = node.groups(1_000);
      const stream = node.open();
      await stream.subscribe(1n, ...topics);
      const listed = stream.frames.flatMap((said) => (said.kind === "topicsLive" ? said.topics : []));
      expectSame(listed.toSorted(), topics.toSorted(), "the topics of all TopicsLive");
    },
  },
  {
    id: "no-op-add-acked",
    rules: ["R-27", "R-33"],
    promise: "Adding again what is subscribed is acked and listed by no TopicsLive.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 2);
      const stream = node.open();
      await stream.subscribe(1n, a);
      const before = stream.count("topicsLive");
      stream.mutate(2n, { add: [[a, ids.at(-1) ?? 0n]] });
      await stream.complete(2n);
      expectThat(stream.count("topicsLive") === before, "no further TopicsLive", stream.account());
      expectThat(stream.idsOf(2n).length === 0, "no delivery for the no-op", stream.account());
    },
  },
  {
    id: "acks-in-order",
    rules: ["R-34"],
    promise: "Two hundred pipelined Mutates that start no wave are acked in the order in which they were sent.",
    run: async (node) => {
      const stream = node.open();
      const ids = Array.from({ length: 200 }, (_, n) => BigInt(1_000 - n));
      for (const id of ids) stream.mutate(id, { remove: [node.group()] });
      await stream.complete(ids.at(-1) ?? 0n);
      expectSame(stream.completed, ids, "CatchupCompletes");
    },
  },
  {
    id: "one-ack-per-mutate",
    rules: ["R-33"],
    promise: "Each of fifty Mutates, with and without a wave, gets exactly one CatchupComplete.",
    run: async (node) => {
      const stream = node.open();
      const topics = node.groups(25);
      const ids: bigint[] = [];
      for (const topic of topics) {
        const id = node.nextId();
        ids.push(id);
        stream.mutate(id, { add: [topic] });
        ids.push(node.nextId());
        stream.mutate(ids.at(-1) ?? 0n, { remove: [topic] });
      }
      await stream.until(() => stream.completed.length >= ids.length, `${ids.length} CatchupCompletes`);
      await stream.barrier();
      expectSame(stream.completed.toSorted(), ids.toSorted(), "CatchupCompletes");
    },
  },
  {
    id: "ack-overtakes-wave",
    rules: ["R-33", "R-34"],
    level: "strict",
    promise: "A Mutate that starts no wave is acked while the wave of an earlier one is under way.",
    run: async (node) => {
      const { stream } = await blockedWave(node);
      stream.mutate(2n, { remove: [node.group()] });
      await node.sleep(100);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
      expectSame(stream.completed.slice(-2), [2n, 1n], "CatchupCompletes");
    },
  },
  {
    id: "small-wave-overtakes-large",
    rules: ["R-18", "R-34"],
    level: "strict",
    promise: "A small wave ends while a large one that began before it is under way.",
    run: async (node) => {
      const b = node.group();
      await node.publish(b, 2);
      const { stream } = await blockedWave(node);
      stream.mutate(2n, { add: [b] });
      await node.sleep(100);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
      expectSame(stream.completed.slice(-2), [2n, 1n], "CatchupCompletes");
    },
  },
]);
