import { LIVE } from "../../core/frame";
import { casesOf } from "../case";
import { CODE } from "../client/grpc";
import { expectThat } from "../failure";

export const MUTATIONS = casesOf("mutations", [
  {
    id: "add-disturbs-nobody",
    rules: ["R-22"],
    promise: "Adding a topic does not disturb those that are subscribed: nothing of them is repeated or lost.",
    run: async (node) => {
      const [a, b] = [node.group(), node.group()];
      const old = await node.publish(a, 3);
      const stream = node.open();
      await stream.subscribe(1n, a);
      await node.publish(b, 3);
      stream.mutate(2n, { add: [b] });
      const ids = await node.publish(a, 3);
      await stream.complete(2n);
      await stream.delivered(LIVE, a, ids);
      stream.expectIds(1n, a, old);
      expectThat(stream.idsOf(2n, a).length === 0, "nothing of the other topic in the new wave", stream.account());
    },
  },
  {
    id: "remove-disturbs-nobody",
    rules: ["R-22", "R-25"],
    promise: "Removing a topic does not disturb the others.",
    run: async (node) => {
      const [a, b] = [node.group(), node.group()];
      const stream = node.open();
      await stream.subscribe(1n, a, b);
      stream.mutate(2n, { remove: [b] });
      const ids = await node.publish(a, 5);
      await stream.complete(2n);
      await stream.delivered(LIVE, a, ids);
    },
  },
  {
    id: "remove-stops",
    rules: ["R-25"],
    promise: "After the ack of its remove nothing of a topic is delivered.",
    run: async (node) => {
      const [a, b] = [node.group(), node.group()];
      const stream = node.open();
      await stream.subscribe(1n, a, b);
      stream.mutate(2n, { remove: [a] });
      await stream.complete(2n);
      await node.publish(a, 5);
      const witness = await node.publish(b);
      await stream.delivered(LIVE, b, witness);
      expectThat(stream.idsOf(LIVE, a).length === 0, "nothing of the removed topic", stream.account());
    },
  },
  {
    id: "remove-welcome-stops",
    rules: ["R-25"],
    promise: "Welcomes stop as groups do once their topic is removed.",
    run: async (node) => {
      const [w, v] = [node.welcome(), node.welcome()];
      const stream = node.open();
      await stream.subscribe(1n, w, v);
      stream.mutate(2n, { remove: [w] });
      await stream.complete(2n);
      await node.publish(w, 2);
      await stream.delivered(LIVE, v, await node.publish(v));
      expectThat(stream.idsOf(LIVE, w).length === 0, "nothing of the removed topic", stream.account());
    },
  },
  {
    id: "add-again-after-remove",
    rules: ["R-8", "R-25"],
    promise:
      "A topic that was removed and is added again is replayed from the new cursor, as if it had never been there.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 4);
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.mutate(2n, { remove: [a] });
      stream.mutate(3n, { add: [[a, ids[1] ?? 0n]] });
      await stream.complete(3n);
      stream.expectIds(3n, a, ids.slice(2));
    },
  },
  {
    id: "missed-between-remove-and-add",
    rules: ["R-8", "R-9"],
    promise: "What was published between a remove and the next add comes by the cursor of that add.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      await stream.subscribe(1n, a);
      const seen = await node.publish(a, 2);
      await stream.delivered(LIVE, a, seen);
      stream.mutate(2n, { remove: [a] });
      await stream.complete(2n);
      const missed = await node.publish(a, 3);
      await stream.subscribe(3n, [a, seen.at(-1) ?? 0n]);
      stream.expectIds(3n, a, missed);
    },
  },
  {
    id: "reset-in-one-mutate",
    rules: ["R-23"],
    promise: "Removes come before adds: a topic in both is replayed from the given cursor.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 4);
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.mutate(2n, { remove: [a], add: [[a, ids[0] ?? 0n]] });
      await stream.complete(2n);
      stream.expectIds(2n, a, ids.slice(1));
      await stream.delivered(LIVE, a, await node.publish(a, 2));
    },
  },
  {
    id: "reset-to-a-higher-cursor",
    rules: ["R-23"],
    promise:
      "A topic in removes and adds takes the given cursor also if that is higher: what lies below is not delivered.",
    run: async (node) => {
      const [a, b] = [node.group(), node.group()];
      const [first = 0n] = await node.publish(a, 1);
      const stream = node.open();
      await stream.subscribe(1n, a, b);
      stream.mutate(2n, { remove: [a], add: [[a, first + 1_000_000_000n]] });
      await stream.complete(2n);
      await node.publish(a, 3);
      await stream.delivered(LIVE, b, await node.publish(b));
      expectThat(stream.idsOf(LIVE, a).length === 0, "nothing below the new cursor", stream.account());
    },
  },
  {
    id: "duplicate-adds-coalesce",
    rules: ["R-24"],
    promise: "Of several adds of one topic the lowest cursor wins, and each message comes once.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 5);
      const stream = node.open();
      await stream.subscribe(1n, [a, ids[3] ?? 0n], [a, ids[1] ?? 0n], [a, ids[2] ?? 0n]);
      stream.expectIds(1n, a, ids.slice(2));
    },
  },
  {
    id: "duplicate-removes-coalesce",
    rules: ["R-24", "R-30"],
    promise: "A topic that is removed twice in one Mutate is removed, and the Mutate acked once.",
    run: async (node) => {
      const [a, b] = [node.group(), node.group()];
      const stream = node.open();
      await stream.subscribe(1n, a, b);
      stream.mutate(2n, { remove: [a, a] });
      await stream.complete(2n);
      await node.publish(a);
      await stream.delivered(LIVE, b, await node.publish(b));
    },
  },
  {
    id: "lower-re-add-replays",
    rules: ["R-26"],
    promise: "Adding a subscribed topic below its floor replays it from there, under the new tag, then live goes on.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 4);
      const stream = node.open();
      await stream.subscribe(1n, [a, ids[1] ?? 0n]);
      await stream.subscribe(2n, a);
      stream.expectIds(2n, a, ids);
      await stream.delivered(LIVE, a, await node.publish(a, 2));
    },
  },
  {
    id: "higher-re-add-changes-nothing",
    rules: ["R-26", "R-27"],
    promise: "Adding a subscribed topic at a cursor above its floor changes nothing: live goes on below that cursor.",
    run: async (node) => {
      const a = node.group();
      const [first = 0n] = await node.publish(a, 1);
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.mutate(2n, { add: [[a, first + 1_000_000_000n]] });
      await stream.complete(2n);
      await stream.delivered(LIVE, a, await node.publish(a, 3));
    },
  },
  {
    id: "same-add-after-a-delivery",
    rules: ["R-8", "R-26"],
    promise: "The floor rises with each delivery: repeating the very add after one is a lower re-add, and replays.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 2);
      const stream = node.open();
      const cursor = ids[1] ?? 0n;
      await stream.subscribe(1n, [a, cursor]);
      const live = await node.publish(a, 2);
      await stream.delivered(LIVE, a, live);
      await stream.subscribe(2n, [a, cursor]);
      stream.expectIds(2n, a, live);
    },
  },
  {
    id: "same-add-without-a-delivery",
    rules: ["R-27"],
    promise: "Repeating an add before anything was delivered changes nothing.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 2);
      const stream = node.open();
      const cursor = ids[1] ?? 0n;
      await stream.subscribe(1n, [a, cursor]);
      const before = stream.count("topicsLive");
      stream.mutate(2n, { add: [[a, cursor]] });
      await stream.complete(2n);
      expectThat(stream.count("topicsLive") === before, "no further TopicsLive", stream.account());
    },
  },
  {
    id: "no-op-beside-a-new-topic",
    rules: ["R-27"],
    promise: "A no-op add beside a new topic joins neither the wave nor its TopicsLive.",
    run: async (node) => {
      const [a, b] = [node.group(), node.group()];
      const ids = await node.publish(a, 2);
      const ofB = await node.publish(b, 2);
      const stream = node.open();
      await stream.subscribe(1n, a);
      await stream.subscribe(2n, [a, ids.at(-1) ?? 0n], b);
      stream.expectIds(2n, b, ofB);
      const listed = stream.frames.filter((said) => said.kind === "topicsLive" && said.topics.some((one) => one === a));
      expectThat(listed.length === 1, "one TopicsLive for the first topic", `${listed.length}`);
    },
  },
  {
    id: "refused-ends-the-stream",
    rules: ["R-32"],
    promise: "Behind a refused Mutate nothing more is applied: its successor on the stream is not acked.",
    run: async (node) => {
      const stream = node.open();
      await stream.subscribe(1n, node.group());
      stream.mutate(0n, { add: [node.group()] });
      stream.mutate(3n, {});
      await stream.endsWith(CODE.invalidArgument);
      expectThat(!stream.completed.includes(3n), "no ack of the successor", stream.account());
    },
  },
  {
    id: "refusal-has-words",
    rules: ["R-12", "R-49"],
    level: "strict",
    promise: "A refusal says in words what was wrong.",
    run: async (node) => {
      const stream = node.open();
      stream.mutate(0n, { add: [node.group()] });
      await stream.endsWith(CODE.invalidArgument, /.{10,}/);
    },
  },
]);
