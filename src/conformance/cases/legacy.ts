import type { Topic } from "../../core/topic";
import { MlsApi } from "../../wire/gen/mls/api/v1/mls_pb";
import { casesOf } from "../case";
import { CODE, showStatus } from "../client/grpc";
import { heardGroupMessage, heardWelcome } from "../client/heard";
import { identifierOf, type NodeUnderTest } from "../client/node";
import { ServerStream } from "../client/server-stream";
import { expectSame, expectThat } from "../failure";

const { method } = MlsApi;

/** For how long an open stream has to stay open, to count as one. */
const SILENCE_MS = 100;

type Filter = readonly [topic: Topic, cursor: bigint];

function groupStream(node: NodeUnderTest, ...filters: readonly Filter[]): ServerStream {
  const request = { filters: filters.map(([topic, idCursor]) => ({ groupId: identifierOf(topic), idCursor })) };
  return ServerStream.open(node, method.subscribeGroupMessages, request, heardGroupMessage);
}

function welcomeStream(node: NodeUnderTest, ...filters: readonly Filter[]): ServerStream {
  const request = { filters: filters.map(([topic, idCursor]) => ({ installationKey: identifierOf(topic), idCursor })) };
  return ServerStream.open(node, method.subscribeWelcomeMessages, request, heardWelcome);
}

/** Ids of one topic on a stream. */
function idsOf(stream: ServerStream, topic: Topic): readonly bigint[] {
  return stream.messages.filter((message) => message.topic === topic).map(({ id }) => id);
}

export const LEGACY = casesOf("legacy streams", [
  {
    id: "group-stream-headers-at-once",
    rules: ["v3 SubscribeGroupMessages"],
    promise:
      "The response headers of a group stream come at once, before there is a message: native clients hang otherwise.",
    run: async (node) => {
      await groupStream(node, [node.group(), 0n]).headers();
    },
  },
  {
    id: "welcome-stream-headers-at-once",
    rules: ["v3 SubscribeWelcomeMessages"],
    promise: "The response headers of a welcome stream come at once, before there is a message.",
    run: async (node) => {
      await welcomeStream(node, [node.welcome(), 0n]).headers();
    },
  },
  {
    id: "group-stream-history-then-live",
    rules: ["v3 SubscribeGroupMessages", "R-9"],
    promise: "A group stream delivers history above the cursor, then live, each message once.",
    run: async (node) => {
      const a = node.group();
      const [first = 0n] = await node.publish(a, 4);
      const stream = groupStream(node, [a, first]);
      await stream.delivered(3);
      await node.publish(a, 3);
      await stream.delivered(6);
      expectSame(stream.ids, node.idsOf(a).slice(1), "ids");
    },
  },
  {
    id: "welcome-stream-history-then-live",
    rules: ["v3 SubscribeWelcomeMessages", "R-9"],
    promise: "A welcome stream delivers history above the cursor, then live, each message once.",
    run: async (node) => {
      const w = node.welcome();
      const [first = 0n] = await node.publish(w, 4);
      const stream = welcomeStream(node, [w, first]);
      await stream.delivered(3);
      await node.publish(w, 3);
      await stream.delivered(6);
      expectSame(stream.ids, node.idsOf(w).slice(1), "ids");
    },
  },
  {
    id: "group-stream-of-many",
    rules: ["v3 SubscribeGroupMessages", "R-7"],
    promise: "A group stream serves many filters, each from its own cursor.",
    run: async (node) => {
      const topics = node.groups(20);
      await node.publishAll(topics);
      await node.publishAll(topics);
      const filters = topics.map((topic, at): Filter => [topic, at % 2 === 0 ? 0n : (node.idsOf(topic)[0] ?? 0n)]);
      const stream = groupStream(node, ...filters);
      await stream.delivered(30);
      await node.publishAll(topics);
      await stream.delivered(50);
      for (const [at, topic] of topics.entries()) {
        expectSame(idsOf(stream, topic), node.idsOf(topic).slice(at % 2), "ids of a group");
      }
    },
  },
  {
    id: "group-stream-while-published",
    rules: ["v3 SubscribeGroupMessages", "R-9"],
    promise: "A group stream that opens while its group is published to loses and repeats nothing.",
    run: async (node) => {
      const a = node.group();
      const streams: ServerStream[] = [];
      for (let n = 0; n < 10; n++) {
        const publish = node.publish(a, 5);
        streams.push(groupStream(node, [a, 0n]));
        await publish;
      }
      for (const stream of streams) {
        await stream.delivered(50);
        expectSame(stream.ids, node.idsOf(a), "ids");
      }
    },
  },
  {
    id: "group-stream-without-filters-stays-open",
    rules: ["v3 SubscribeGroupMessages"],
    level: "strict",
    promise: "A group stream without a filter stays open with nothing to say: SDKs of new clients begin so.",
    run: async (node) => {
      const stream = groupStream(node);
      await stream.headers();
      await node.publish(node.group());
      await node.sleep(SILENCE_MS);
      const { end, messages } = stream;
      expectThat(end === undefined, "an open stream", end === undefined ? "" : showStatus(end));
      expectThat(messages.length === 0, "no message", `${messages.length}`);
    },
  },
  {
    id: "welcome-stream-needs-filters",
    rules: ["v3 SubscribeWelcomeMessages"],
    level: "strict",
    promise: "A welcome stream without a filter is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const end = await welcomeStream(node).ended();
      expectThat(end.code === CODE.invalidArgument, "INVALID_ARGUMENT (3)", showStatus(end));
    },
  },
  {
    id: "legacy-streams-last",
    rules: ["v3 SubscribeGroupMessages"],
    slow: true,
    promise: "A group stream with nothing to say is neither pinged nor ended, and then delivers.",
    run: async (node) => {
      const a = node.group();
      const stream = groupStream(node, [a, 0n]);
      await stream.headers();
      await node.sleep(2.5 * node.keepaliveMs);
      await node.publish(a);
      await stream.delivered(1);
      expectSame(stream.ids, node.idsOf(a), "ids");
    },
  },
]);
