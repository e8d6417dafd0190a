import { LIVE } from "../../core/frame";
import { casesOf } from "../case";
import type { NodeUnderTest } from "../client/node";
import { expectSame, expectThat } from "../failure";
import { LARGE_MESSAGE_BYTES } from "./scenes";

/** A frame that default clients of gRPC still take. */
const MAX_FRAME_BYTES = 4 << 20;

/** Two groups with interleaved ids: a, b, a, b … */
async function interleaved(node: NodeUnderTest, rounds: number) {
  const [a, b] = [node.group(), node.group()];
  const ids: bigint[] = [];
  for (let n = 0; n < rounds; n++) ids.push(...(await node.publish(a)), ...(await node.publish(b)));
  return { a, b, ids };
}

export const WAVES = casesOf("waves and order", [
  {
    id: "wave-carries-its-tag",
    rules: ["R-10"],
    promise: "History is tagged with the id of the Mutate that asked for it, and with nothing else.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 10);
      const stream = node.open();
      await stream.subscribe(42n, a);
      stream.expectIds(42n, a, ids);
      expectThat(stream.idsOf(LIVE).length === 0, "no untagged delivery", stream.account());
    },
  },
  {
    id: "live-carries-no-tag",
    rules: ["R-10"],
    promise: "Live messages are tagged 0.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      await stream.subscribe(1n, a);
      const ids = await node.publish(a, 5);
      await stream.delivered(LIVE, a, ids);
      stream.expectIds(LIVE, a, ids);
    },
  },
  {
    id: "each-wave-its-own-tag",
    rules: ["R-10", "R-18"],
    promise: "Two pipelined waves deliver each under its own tag.",
    run: async (node) => {
      const { a, b } = await interleaved(node, 5);
      const stream = node.open();
      stream.mutate(1n, { add: [a] });
      stream.mutate(2n, { add: [b] });
      await stream.complete(1n);
      await stream.complete(2n);
      for (const { topic } of stream.messagesOf(1n))
        expectThat(topic === a, "only the first topic in wave 1", "another");
      for (const { topic } of stream.messagesOf(2n))
        expectThat(topic === b, "only the second topic in wave 2", "another");
    },
  },
  {
    id: "order-per-topic",
    rules: ["R-9", "R-17"],
    promise: "Within a wave each topic's messages ascend, without gap and without duplicate.",
    run: async (node) => {
      const { a, b } = await interleaved(node, 10);
      const stream = node.open();
      await stream.subscribe(1n, a, b);
      for (const topic of [a, b]) {
        const stored = (await node.stored(topic)).map(({ id }) => id);
        stream.expectIds(1n, topic, stored);
      }
    },
  },
  {
    id: "wave-is-one-merged-pass",
    rules: ["R-17"],
    level: "strict",
    promise: "A wave is one ascending pass over all its topics, not topic by topic.",
    run: async (node) => {
      const { a, b, ids } = await interleaved(node, 10);
      const stream = node.open();
      await stream.subscribe(1n, a, b);
      expectSame(stream.idsOf(1n), ids, "ids of the wave");
    },
  },
  {
    id: "merged-pass-over-pages",
    rules: ["R-17"],
    level: "strict",
    promise: "The merged pass also holds where a wave is longer than any page: 2 000 messages of four topics.",
    run: async (node) => {
      const topics = node.groups(4);
      const ids: bigint[] = [];
      for (let request = 0; request < 5; request++) {
        ids.push(...(await node.publishAll(Array.from({ length: 400 }, (_, n) => topics[n % 4] ?? node.group()))));
      }
      const stream = node.open();
      await stream.subscribe(1n, ...topics);
      expectSame(stream.idsOf(1n), ids, "ids of the wave");
    },
  },
  {
    id: "live-is-one-merged-pass",
    rules: ["R-16"],
    promise: "Live messages ascend across all topics of the stream, so that one mark is a cursor for all.",
    run: async (node) => {
      const topics = node.groups(5);
      const stream = node.open();
      await stream.subscribe(1n, ...topics);
      await Promise.all(topics.flatMap((topic) => Array.from({ length: 6 }, () => node.publish(topic, 2))));
      await stream.until(() => stream.idsOf(LIVE).length >= 60, "60 live messages");
      const got = stream.idsOf(LIVE);
      expectSame(
        got,
        got.toSorted((a, b) => (a < b ? -1 : 1)),
        "live ids",
      );
    },
  },
  {
    id: "live-in-one-pass-over-waves",
    rules: ["R-16"],
    promise: "Live stays one ascending pass when topics come to it by several waves.",
    run: async (node) => {
      const topics = node.groups(4);
      const stream = node.open();
      for (const topic of topics) {
        stream.mutate(node.nextId(), { add: [topic] });
        await node.publishAll(topics);
      }
      await node.publishAll(topics);
      for (const topic of topics) await stream.delivered(LIVE, topic, node.idsOf(topic).slice(-1));
    },
  },
  {
    id: "long-history",
    rules: ["R-9", "R-17"],
    promise: "A history of 3 000 messages arrives whole, in order, under one tag.",
    run: async (node) => {
      const a = node.group();
      const ids: bigint[] = [];
      for (let request = 0; request < 6; request++) ids.push(...(await node.publish(a, 500)));
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.expectIds(1n, a, ids);
    },
  },
  {
    id: "many-topics-one-message",
    rules: ["R-9", "R-35"],
    promise: "A wave over 500 topics with a message each delivers every one of them.",
    run: async (node) => {
      const topics = node.groups(100);
      const empty = node.groups(400);
      const ids = await node.publishAll(topics);
      const stream = node.open();
      await stream.subscribe(1n, ...topics, ...empty);
      expectSame(stream.idsOf(1n).toSorted(), ids.toSorted(), "ids of the wave");
    },
  },
  {
    id: "frames-below-four-mib",
    rules: ["R-49"],
    promise: "No frame is larger than 4 MiB, however large its messages are.",
    patience: 4,
    run: async (node) => {
      const a = node.group();
      for (let n = 0; n < 6; n++) await node.publish(a, 1, LARGE_MESSAGE_BYTES);
      const stream = node.open();
      await stream.subscribe(1n, a);
      for (const said of stream.frames) {
        if (said.kind !== "messages") continue;
        const bytes = said.messages.reduce((sum, { data }) => sum + data.length, 0);
        expectThat(bytes <= MAX_FRAME_BYTES, "frames of at most 4 MiB", `${bytes} bytes of messages in one`);
      }
      expectThat(stream.idsOf(1n).length === 6, "six messages", stream.account());
    },
  },
  {
    id: "messages-are-unchanged",
    rules: ["R-9"],
    promise: "What is delivered is byte for byte what was published, in a wave and live.",
    run: async (node) => {
      const [a, w] = [node.group(), node.welcome()];
      await node.publish(a, 3, 5_000);
      await node.publish(w, 3, 5_000);
      const stream = node.open();
      await stream.subscribe(1n, a, w);
      await stream.delivered(LIVE, a, await node.publish(a, 2));
      await stream.delivered(LIVE, w, await node.publish(w, 2));
      const heard = new Map(
        [...stream.messagesOf(1n), ...stream.messagesOf(LIVE)].map((one) => [`${one.kind} ${one.id}`, one]),
      );
      for (const stored of [...(await node.stored(a)), ...(await node.stored(w))]) {
        const got = heard.get(`${stored.kind} ${stored.id}`);
        const same =
          got !== undefined && Buffer.from(got.data).equals(stored.data) && got.createdNs === stored.createdNs;
        expectThat(same, "the data and time that a query tells", `something else for id ${stored.id}`);
      }
    },
  },
  {
    id: "kinds-have-their-own-order",
    rules: ["R-16", "R-21"],
    promise: "Groups and welcomes on one stream are two sequences, each ascending, none missing.",
    run: async (node) => {
      const [a, w] = [node.group(), node.welcome()];
      const stream = node.open();
      await stream.subscribe(1n, a, w);
      for (let n = 0; n < 10; n++) {
        await stream.delivered(LIVE, w, await node.publish(w));
        await stream.delivered(LIVE, a, await node.publish(a));
      }
    },
  },
  {
    id: "topics-live-once",
    rules: ["R-35"],
    promise: "After its history, and before CatchupComplete, each topic of a wave is listed exactly once.",
    run: async (node) => {
      const topics = node.groups(20);
      await node.publishAll(topics);
      const stream = node.open();
      await stream.subscribe(1n, ...topics);
      const listed = stream.frames.flatMap((said) => (said.kind === "topicsLive" ? said.topics : []));
      expectSame(listed.toSorted(), topics.toSorted(), "the topics of all TopicsLive");
      expectThat(stream.frames.at(-1)?.kind === "catchupComplete", "CatchupComplete last", stream.account());
    },
  },
]);
