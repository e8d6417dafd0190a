import { LIVE } from "../../core/frame";
import { casesOf } from "../case";
import { CODE, showStatus } from "../client/grpc";
import type { NodeUnderTest } from "../client/node";
import type { ProbeStream } from "../client/probe-stream";
import { expectThat } from "../failure";
import { blockedWave, LARGE_MESSAGE_BYTES } from "./scenes";

/** Waits for RESOURCE_EXHAUSTED in words that hold a number: the limit. */
async function exhausted(stream: ProbeStream): Promise<void> {
  await stream.endsWith(CODE.resourceExhausted, /\d/);
}

/** What one Mutate of a client's can be at most without being split (C-4), in topics. */
const TOPICS_PER_MUTATE = 1_000;

async function subscribeInParts(node: NodeUnderTest, stream: ProbeStream, parts: number): Promise<void> {
  const ids = Array.from({ length: parts }, () => node.nextId());
  for (const id of ids) stream.mutate(id, { add: node.groups(TOPICS_PER_MUTATE) });
  for (const id of ids) await stream.complete(id);
}

export const LIMITS = casesOf("limits", [
  {
    id: "thousand-adds",
    rules: ["R-49"],
    promise: "A Mutate with a thousand adds, which is what clients send at most, is accepted.",
    run: async (node) => {
      await subscribeInParts(node, node.open(), 1);
    },
  },
  {
    id: "ten-thousand-topics",
    rules: ["R-49"],
    promise: "Ten thousand topics on one stream, by ten pipelined Mutates, are accepted, and live reaches them.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      await subscribeInParts(node, stream, 10);
      await stream.subscribe(node.nextId(), a);
      await stream.delivered(LIVE, a, await node.publish(a));
    },
  },
  {
    id: "five-hundred-mutates-at-once",
    rules: ["R-49"],
    promise: "A burst of five hundred Mutates is accepted.",
    run: async (node) => {
      const stream = node.open();
      const ids = Array.from({ length: 500 }, () => node.nextId());
      for (const id of ids) stream.mutate(id, { remove: [node.group()] });
      await stream.complete(ids.at(-1) ?? 0n);
    },
  },
  {
    id: "fifty-waves-at-once",
    rules: ["R-49"],
    promise: "Fifty waves in flight are accepted, and all complete.",
    run: async (node) => {
      const a = node.group();
      await node.publish(a, 5);
      const stream = node.open();
      const ids = Array.from({ length: 50 }, () => node.nextId());
      for (const id of ids) stream.mutate(id, { add: [node.group()] });
      for (const id of ids) await stream.complete(id);
    },
  },
  {
    id: "fifty-pings-at-once",
    rules: ["R-44", "R-49"],
    promise: "A burst of fifty Pings is answered.",
    run: async (node) => {
      const stream = node.open();
      for (let nonce = 1n; nonce <= 50n; nonce++) stream.ping(nonce);
      await stream.until(() => stream.count("pong") === 50, "50 Pongs");
    },
  },
  {
    id: "too-many-adds",
    rules: ["R-24", "R-49"],
    level: "strict",
    promise:
      "100 001 adds in one Mutate, duplicates included, are refused with RESOURCE_EXHAUSTED that names the limit.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      stream.goBeyondLimits();
      stream.mutate(1n, { add: Array.from({ length: 100_001 }, () => a) });
      await exhausted(stream);
    },
  },
  {
    id: "too-many-waves",
    rules: ["R-49"],
    level: "strict",
    promise: "The 257th wave in flight is refused with RESOURCE_EXHAUSTED that names the limit.",
    run: async (node) => {
      const { stream } = await blockedWave(node);
      stream.goBeyondLimits();
      for (let n = 0; n < 256; n++) stream.mutate(node.nextId() + 1_000n, { add: [node.group()] });
      await node.sleep(200);
      stream.resume();
      await exhausted(stream);
    },
  },
  {
    id: "ping-flood",
    rules: ["R-49"],
    level: "strict",
    promise: "A flood of a thousand Pings at once is refused with RESOURCE_EXHAUSTED that names the limit.",
    run: async (node) => {
      const stream = node.open();
      stream.goBeyondLimits();
      for (let nonce = 1n; nonce <= 1_000n; nonce++) stream.ping(nonce);
      await exhausted(stream);
    },
  },
  {
    id: "large-messages-arrive",
    rules: ["R-49"],
    promise: "Messages of 1 MiB are taken, and delivered whole, in a wave and live.",
    patience: 4,
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 2, LARGE_MESSAGE_BYTES);
      const stream = node.open();
      await stream.subscribe(1n, a);
      stream.expectIds(1n, a, ids);
      await stream.delivered(LIVE, a, await node.publish(a, 1, LARGE_MESSAGE_BYTES));
    },
  },
  {
    id: "a-slow-reader-lives",
    rules: ["R-49"],
    promise: "A reader that stops for a while in the middle of a wave loses neither its stream nor a message.",
    run: async (node) => {
      const b = node.group();
      const { stream, long, longIds } = await blockedWave(node, { live: [b] });
      for (let n = 0; n < 10; n++) await node.publish(b, 50);
      stream.resume();
      await stream.complete(1n);
      stream.expectIds(1n, long, longIds);
      await stream.delivered(LIVE, b, node.idsOf(b));
      expectThat(
        stream.end === undefined,
        "the stream to live",
        stream.end === undefined ? "" : showStatus(stream.end),
      );
    },
  },
]);
