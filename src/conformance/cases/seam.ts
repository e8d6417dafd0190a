import { LIVE } from "../../core/frame";
import type { Topic } from "../../core/topic";
import { casesOf } from "../case";
import type { NodeUnderTest } from "../client/node";
import type { ProbeStream } from "../client/probe-stream";
import { expectSame, expectThat } from "../failure";
import { blockedWave } from "./scenes";

/** Everything a stream has delivered of a topic, whatever the lane. */
function allOf(stream: ProbeStream, topic: Topic, waves: readonly bigint[]): readonly bigint[] {
  return [...waves.flatMap((wave) => stream.idsOf(wave, topic)), ...stream.idsOf(LIVE, topic)];
}

/** Publishes one message after the other until told to stop; resolves with all their ids. */
async function publishing(node: NodeUnderTest, topic: Topic, going: () => boolean): Promise<readonly bigint[]> {
  const ids: bigint[] = [];
  while (going()) ids.push(...(await node.publish(topic)));
  return ids;
}

export const SEAM = casesOf("seam", [
  {
    id: "history-then-live",
    rules: ["R-9", "R-19"],
    promise: "History in the wave, then live: every message once, none twice.",
    run: async (node) => {
      const a = node.group();
      const before = await node.publish(a, 5);
      const stream = node.open();
      await stream.subscribe(1n, a);
      const after = await node.publish(a, 5);
      await stream.delivered(LIVE, a, after);
      stream.expectIds(1n, a, before);
      stream.expectIds(LIVE, a, after);
    },
  },
  {
    id: "acked-before-is-in-the-wave",
    rules: ["R-9", "R-35"],
    promise: "What was acked before the Mutate was sent is delivered before CatchupComplete.",
    run: async (node) => {
      const stream = node.open();
      await stream.started();
      for (let n = 0; n < 20; n++) {
        const a = node.group();
        const ids = await node.publish(a, 2);
        const id = node.nextId();
        await stream.subscribe(id, a);
        stream.expectIds(id, a, ids);
      }
    },
  },
  {
    id: "published-during-catch-up",
    rules: ["R-9", "R-11", "R-19"],
    promise: "While a publisher goes on, ten streams subscribe one after the other: each gets everything once.",
    run: async (node) => {
      const a = node.group();
      let going = true;
      const publisher = publishing(node, a, () => going);
      const streams: ProbeStream[] = [];
      for (let n = 0; n < 10; n++) {
        const stream = node.open();
        streams.push(stream);
        await stream.subscribe(1n, a);
      }
      going = false;
      const ids = await publisher;
      for (const stream of streams) {
        await stream.until(() => allOf(stream, a, [1n]).length >= ids.length, `${ids.length} messages`);
        expectSame(allOf(stream, a, [1n]), ids, "all messages");
      }
    },
  },
  {
    id: "added-while-published",
    rules: ["R-9", "R-16", "R-19"],
    promise:
      "Topics are added one by one to a stream while all of them are published to: none loses or repeats a message.",
    run: async (node) => {
      const topics = node.groups(6);
      let going = true;
      const publishers = topics.map((topic) => publishing(node, topic, () => going));
      const stream = node.open();
      const waves: bigint[] = [];
      for (const topic of topics) {
        const id = node.nextId();
        waves.push(id);
        await stream.subscribe(id, topic);
      }
      going = false;
      for (const [at, publisher] of publishers.entries()) {
        const ids = await publisher;
        const topic = topics[at] ?? node.group();
        await stream.until(() => allOf(stream, topic, waves).length >= ids.length, `${ids.length} messages`);
        expectSame(allOf(stream, topic, waves), ids, "all messages of a topic");
      }
    },
  },
  {
    id: "arrives-mid-wave",
    rules: ["R-9", "R-11", "R-19"],
    promise:
      "What arrives for a topic in the middle of its wave comes once: in the wave, or live after CatchupComplete.",
    run: async (node) => {
      const { stream, own } = await blockedWave(node);
      await node.publish(own, 5);
      stream.resume();
      await stream.complete(1n);
      await stream.until(() => allOf(stream, own, [1n]).length >= 7, "7 messages");
      expectSame(allOf(stream, own, [1n]), node.idsOf(own), "all messages");
    },
  },
  {
    id: "no-live-before-the-gate",
    rules: ["R-19"],
    promise: "No live frame of a topic comes before its wave's CatchupComplete.",
    run: async (node) => {
      const { stream, own } = await blockedWave(node);
      const during = await node.publish(own, 5);
      stream.resume();
      await stream.complete(1n);
      await stream.until(() => allOf(stream, own, [1n]).includes(during.at(-1) ?? 0n), "the last message");
      const gate = stream.indexOf((said) => said.kind === "catchupComplete" && said.mutateId === 1n);
      const live = stream.indexOf(
        (said) => said.kind === "messages" && said.lane === LIVE && said.messages.some(({ topic }) => topic === own),
      );
      expectThat(live === -1 || live > gate, "live after CatchupComplete", stream.account());
    },
  },
  {
    id: "folded-below-live",
    rules: ["R-16", "R-20"],
    promise: "A message held mid-wave does not come live below an id that was delivered live meanwhile.",
    run: async (node) => {
      const b = node.group();
      const { stream, own } = await blockedWave(node, { live: [b] });
      const held = await node.publish(own, 2);
      const passing = await node.publish(b, 2);
      stream.resume();
      await stream.complete(1n);
      await stream.delivered(LIVE, b, passing);
      await stream.until(() => allOf(stream, own, [1n]).includes(held.at(-1) ?? 0n), "the held messages");
    },
  },
  {
    id: "live-flows-beside-a-wave",
    rules: ["R-18", "R-19", "R-22"],
    level: "strict",
    promise: "Live of other topics flows while a wave is under way, and does not wait for its end.",
    run: async (node) => {
      const b = node.group();
      const { stream } = await blockedWave(node, { live: [b] });
      const ids = await node.publish(b, 2);
      await node.sleep(100);
      stream.resume();
      await stream.complete(1n);
      await stream.delivered(LIVE, b, ids);
      const gate = stream.indexOf((said) => said.kind === "catchupComplete" && said.mutateId === 1n);
      const live = stream.indexOf((said) => said.kind === "messages" && said.lane === LIVE);
      expectThat(live < gate, "live before the wave's CatchupComplete", stream.account());
    },
  },
  {
    id: "two-waves-interleave-with-live",
    rules: ["R-18", "R-19"],
    promise: "Two waves and live on one stream, with arrivals for all of them: every message once.",
    run: async (node) => {
      const [b, c] = [node.group(), node.group()];
      await node.publish(c, 3);
      const { stream, own } = await blockedWave(node, { live: [b] });
      stream.mutate(2n, { add: [c] });
      await node.publishAll([b, c, own, b, c, own]);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
      const heard = () => allOf(stream, own, [1n]).length + allOf(stream, c, [2n]).length;
      await stream.until(() => heard() >= node.idsOf(own).length + node.idsOf(c).length, "all messages");
      expectSame(allOf(stream, own, [1n]), node.idsOf(own), "the first wave's messages");
      expectSame(allOf(stream, c, [2n]), node.idsOf(c), "the second wave's messages");
    },
  },
  {
    id: "resume-from-the-live-mark",
    rules: ["R-7", "R-16"],
    promise: "One live mark per kind is enough to resume all live topics on a new stream: nothing is lost or repeated.",
    run: async (node) => {
      const topics = node.groups(3);
      const first = node.open();
      await first.subscribe(1n, ...topics);
      await node.publishAll(topics);
      for (const topic of topics) await first.delivered(LIVE, topic, node.idsOf(topic));
      const mark = first.idsOf(LIVE).at(-1) ?? 0n;
      first.cancel();
      const missed = await node.publishAll(topics);
      const second = node.open();
      await second.subscribe(1n, ...topics.map((topic) => [topic, mark] as const));
      const got = second.idsOf(1n).toSorted((a, b) => (a < b ? -1 : 1));
      expectSame(got, missed, "what was missed");
    },
  },
  {
    id: "many-streams-hear-the-same",
    rules: ["R-9", "R-16"],
    promise: "Twenty streams with the same topics hear the same live messages in the same order.",
    run: async (node) => {
      const topics = node.groups(3);
      const streams = Array.from({ length: 20 }, () => node.open());
      for (const stream of streams) await stream.subscribe(1n, ...topics);
      const ids: bigint[] = [];
      for (let n = 0; n < 10; n++) ids.push(...(await node.publishAll(topics)));
      for (const stream of streams) {
        await stream.until(() => stream.idsOf(LIVE).length >= ids.length, `${ids.length} live messages`);
        expectSame(stream.idsOf(LIVE), ids, "live ids");
      }
    },
  },
]);
