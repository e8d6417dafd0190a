import { LIVE } from "../../core/frame";
import { GROUP, topicOf, WELCOME } from "../../core/topic";
import { casesOf } from "../case";
import { CODE } from "../client/grpc";
import type { Change } from "../client/mutate";
import { identifierOf, type NodeUnderTest } from "../client/node";
import { expectThat } from "../failure";

const MAX_CURSOR = (1n << 63n) - 1n;

/** A Mutate that has to be refused. */
async function refused(node: NodeUnderTest, change: Change): Promise<void> {
  const stream = node.open();
  stream.mutate(1n, change);
  await stream.endsWith(CODE.invalidArgument);
}

export const TOPICS = casesOf("topics and cursors", [
  {
    id: "unknown-kind-in-adds",
    rules: ["R-6"],
    promise: "A topic of an unknown kind in adds is refused with INVALID_ARGUMENT.",
    run: (node) => refused(node, { add: ["\x09abc"] }),
  },
  {
    id: "unknown-kind-in-removes",
    rules: ["R-6"],
    promise: "A topic of an unknown kind in removes is refused with INVALID_ARGUMENT.",
    run: (node) => refused(node, { remove: ["\xffabc"] }),
  },
  {
    id: "empty-topic-in-adds",
    rules: ["R-6"],
    promise: "An empty topic in adds is refused with INVALID_ARGUMENT.",
    run: (node) => refused(node, { add: [""] }),
  },
  {
    id: "empty-topic-in-removes",
    rules: ["R-6"],
    promise: "An empty topic in removes is refused with INVALID_ARGUMENT.",
    run: (node) => refused(node, { remove: [""] }),
  },
  {
    id: "bare-group-kind",
    rules: ["R-6"],
    promise: "The kind byte of groups alone is no topic: INVALID_ARGUMENT.",
    run: (node) => refused(node, { add: ["\0"] }),
  },
  {
    id: "bare-welcome-kind",
    rules: ["R-6"],
    promise: "The kind byte of welcomes alone is no topic: INVALID_ARGUMENT.",
    run: (node) => refused(node, { add: ["\x01"] }),
  },
  {
    id: "bare-kind-in-removes",
    rules: ["R-6"],
    promise: "A bare kind byte in removes is refused with INVALID_ARGUMENT.",
    run: (node) => refused(node, { remove: ["\x01"] }),
  },
  {
    id: "one-bad-topic-refuses-all",
    rules: ["R-6", "R-32"],
    promise: "One bad topic among good ones refuses the whole Mutate: nothing of it is delivered.",
    run: async (node) => {
      const a = node.group();
      await node.publish(a, 3);
      const stream = node.open();
      stream.mutate(1n, { add: [a, "\x07bad"] });
      await stream.endsWith(CODE.invalidArgument);
      expectThat(stream.count("messages") === 0, "no delivery", stream.account());
    },
  },
  {
    id: "cursor-zero",
    rules: ["R-7", "R-9"],
    promise: "Cursor 0 means from the beginning.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 5);
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.expectIds(1n, a, ids);
    },
  },
  {
    id: "cursor-is-exclusive",
    rules: ["R-7"],
    promise: "Only ids strictly above the cursor are delivered.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 5);
      const stream = node.open();
      await stream.subscribe(1n, [a, ids[2] ?? 0n]);
      stream.expectIds(1n, a, ids.slice(3));
    },
  },
  {
    id: "cursor-at-head",
    rules: ["R-7", "R-9"],
    promise: "A cursor at the newest id: no history, then live.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 3);
      const stream = node.open();
      await stream.subscribe(1n, [a, ids.at(-1) ?? 0n]);
      stream.expectIds(1n, a, []);
      const later = await node.publish(a, 2);
      await stream.delivered(LIVE, a, later);
    },
  },
  {
    id: "cursor-in-the-future",
    rules: ["R-9"],
    promise: "With a cursor above the newest id the ack arrives, and live ids at or below it are never delivered.",
    run: async (node) => {
      const a = node.group();
      const b = node.group();
      const ids = await node.publish(a, 1);
      const stream = node.open();
      await stream.subscribe(1n, [a, (ids[0] ?? 0n) + 1_000_000_000n], b);
      await node.publish(a, 3);
      const witness = await node.publish(b);
      await stream.delivered(LIVE, b, witness);
      expectThat(stream.idsOf(LIVE, a).length === 0, "nothing at or below the cursor", stream.account());
    },
  },
  {
    id: "cursor-soon-passed",
    rules: ["R-8", "R-9"],
    promise: "With a cursor a little above the newest id, live begins strictly above it.",
    run: async (node) => {
      const a = node.group();
      const [first = 0n] = await node.publish(a, 1);
      const stream = node.open();
      const cursor = first + 5n;
      await stream.subscribe(1n, [a, cursor]);
      const later = await node.publish(a, 20);
      const due = later.filter((id) => id > cursor);
      await stream.delivered(LIVE, a, due);
      stream.expectIds(LIVE, a, due);
    },
  },
  {
    id: "highest-cursor",
    rules: ["R-9"],
    promise: "2^63-1 is a cursor: acked, and nothing is delivered.",
    run: async (node) => {
      const a = node.group();
      await node.publish(a, 2);
      const stream = node.open();
      await stream.subscribe(1n, [a, MAX_CURSOR]);
      stream.expectIds(1n, a, []);
    },
  },
  {
    id: "cursor-too-high",
    rules: ["R-9"],
    level: "strict",
    promise: "A cursor above 2^63-1 is refused with INVALID_ARGUMENT.",
    run: (node) => refused(node, { add: [[node.group(), MAX_CURSOR + 1n]] }),
  },
  {
    id: "cursor-per-topic",
    rules: ["R-7"],
    promise: "Each topic of a Mutate has its own cursor.",
    run: async (node) => {
      const a = node.group();
      const b = node.group();
      const ofA = await node.publish(a, 4);
      const ofB = await node.publish(b, 4);
      const stream = node.open();
      await stream.subscribe(1n, [a, ofA[0] ?? 0n], [b, ofB[2] ?? 0n]);
      stream.expectIds(1n, a, ofA.slice(1));
      stream.expectIds(1n, b, ofB.slice(3));
    },
  },
  {
    id: "welcome-topics",
    rules: ["R-7", "R-9"],
    promise: "Welcomes are served as group messages are: history above the cursor, then live.",
    run: async (node) => {
      const w = node.welcome();
      const ids = await node.publish(w, 3);
      const stream = node.open();
      await stream.subscribe(1n, [w, ids[0] ?? 0n]);
      stream.expectIds(1n, w, ids.slice(1));
      const later = await node.publish(w, 2);
      await stream.delivered(LIVE, w, later);
    },
  },
  {
    id: "kinds-share-no-identifiers",
    rules: ["R-6"],
    promise: "A group and an installation with the same identifier are two topics.",
    run: async (node) => {
      const group = node.group();
      const welcome = topicOf(WELCOME, identifierOf(group));
      await node.publish(welcome, 2);
      const ids = await node.publish(group, 3);
      const stream = node.open();
      await stream.subscribe(1n, group);
      stream.expectIds(1n, group, ids);
      expectThat(stream.idsOf(1n).length === ids.length, "no welcome", stream.account());
    },
  },
  {
    id: "identifiers-are-bytes",
    rules: ["R-6"],
    promise: "An identifier may hold any byte: 0x00, 0xff and what is no UTF-8.",
    run: async (node) => {
      const own = identifierOf(node.group());
      const a = topicOf(GROUP, Buffer.concat([Buffer.from([0, 0xff, 0xc3, 0x28, 0x80]), own]));
      const ids = await node.publish(a, 2);
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.expectIds(1n, a, ids);
      expectThat(stream.announced(a), "a TopicsLive with the very bytes", stream.account());
    },
  },
]);
