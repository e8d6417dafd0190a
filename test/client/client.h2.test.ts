import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { GROUP, grpcTransport, NodeApi, openStream, type StreamEvent, syncOnce, topicOf } from "../../src/client/index";
import { freePort } from "../support/free-port";
import { MemoryStore } from "../support/memory-store";
import { UnreliableRelay } from "../support/unreliable-relay";
import { until } from "../support/until";
import {
  FROM_START,
  group,
  groupId,
  idsIn,
  installationKey,
  readUntil,
  send,
  sendWelcome,
  welcome,
} from "./conversation";
import { type NodeInMemory, startNodeInMemory } from "./node-in-memory";

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

function owned<T extends AsyncDisposable>(one: T): T {
  open.push(one);
  return one;
}

async function node(options: Parameters<typeof startNodeInMemory>[0] = {}): Promise<NodeInMemory> {
  return owned(await startNodeInMemory(options));
}

test("history, then live, over a real stream: group messages and welcomes, each once", async () => {
  const { address } = await node();
  await send(address, "one", "two");
  await sendWelcome(address, "hello");
  const stream = owned(openStream({ address, topics: FROM_START }));
  const history = await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  expect(idsIn(history).toSorted()).toEqual(["0/1", "0/2", "1/1"]);
  expect(history.some(({ kind }) => kind === "topicsLive")).toBe(true);
  await send(address, "three");
  const live = await readUntil(stream, ({ kind }) => kind === "messages");
  expect(idsIn(live)).toEqual(["0/3"]);
  expect(live.at(-1)).toMatchObject({ lane: 0n, messages: [{ topic: group, isCommit: false }] });
});

test("a topic added late and one removed do not disturb the stream (C-4)", async () => {
  const { address } = await node();
  const stream = owned(openStream({ address, topics: FROM_START.slice(0, 1) }));
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  stream.remove(group);
  stream.add({ topic: welcome, cursor: 0n });
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  await send(address, "nobody wants this");
  await sendWelcome(address, "but this");
  expect(idsIn(await readUntil(stream, ({ kind }) => kind === "messages"))).toEqual(["1/1"]);
});

test("a bounded sync brings what was acked before it, and ends (C-5)", async () => {
  const { address, streams } = await node();
  await send(address, ...Array.from({ length: 300 }, (_, i) => `message ${i}`));
  await sendWelcome(address, "hello");
  const stream = owned(syncOnce({ address, topics: FROM_START }));
  const events: StreamEvent[] = [];
  for await (const event of stream) events.push(event);
  expect(idsIn(events)).toHaveLength(301);
  expect(stream.cursors()).toEqual([
    { topic: group, cursor: 300n },
    { topic: welcome, cursor: 1n },
  ]);
  expect(streams()).toBe(0);
});

test("a stream comes back to a node that was cut off and started again, and misses nothing (C-3)", async () => {
  const store = new MemoryStore(systemClock);
  const port = await freePort();
  const first = await startNodeInMemory({ store, port });
  const { address } = first;
  const stream = owned(openStream({ address, topics: FROM_START, random: () => 0 }));
  await send(address, "one");
  const before = await readUntil(stream, ({ kind }) => kind === "messages");
  await first[Symbol.asyncDispose]();
  const second = await node({ store, port });
  await send(second.address, "two");
  const after = await readUntil(stream, ({ kind }) => kind === "messages");
  expect([...idsIn(before), ...idsIn(after)]).toEqual(["0/1", "0/2"]);
  expect(after.map(({ kind }) => kind)).toContain("waiting");
});

test("a node that falls silent is noticed, and the next stream does not share its connection (C-2)", async () => {
  const { address, port } = await node({ keepaliveMs: 100 });
  const relay = owned(await UnreliableRelay.before(port));
  const stream = owned(openStream({ address: relay.address, topics: FROM_START, random: () => 0 }));
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  relay.freeze();
  await send(address, "in the silence");
  const events = await readUntil(stream, ({ kind }) => kind === "messages");
  const losses = events.flatMap((event) => (event.kind === "waiting" ? [event.loss.detail] : []));
  expect(losses).toContain("the node has fallen silent");
  expect(idsIn(events)).toEqual(["0/1"]);
  expect(relay.connections).toBeGreaterThan(1);
});

test("Pings are answered, so that an idle stream outlives many keepalive intervals (C-1)", async () => {
  const { address, pings } = await node({ keepaliveMs: 100 });
  const stream = owned(openStream({ address, topics: FROM_START }));
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  await until(() => pings() >= 4, "four Pings");
  await send(address, "still here");
  expect(idsIn([(await stream.next()).value ?? { kind: "connecting" }])).toEqual(["0/1"]);
});

test("closing lets go of the stream on the node, at once (R-47)", async () => {
  const { address, streams } = await node();
  const stream = owned(openStream({ address, topics: FROM_START }));
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  expect(streams()).toBe(1);
  await stream.close();
  await until(() => streams() === 0, "the stream to be gone");
});

test("a node that is not there is told as such, by streams, syncs and calls", async () => {
  const address = "http://127.0.0.1:1";
  const stream = owned(openStream({ address, topics: FROM_START }));
  const events = await readUntil(stream, ({ kind }) => kind === "waiting");
  expect(events.at(-1)).toMatchObject({ loss: { status: "unavailable" } });
  const sync = owned(syncOnce({ address, topics: FROM_START, maxAttempts: 2, random: () => 0 }));
  const outcome = await readUntil(sync, () => false).catch((error: unknown) => error);
  expect(outcome).toMatchObject({ name: "NodeError", unreachable: true });
  expect(await send(address, "x").catch((error: unknown) => error)).toMatchObject({ unreachable: true });
});

test("calls give pages, newest messages, and errors that say what is wrong", async () => {
  const { address } = await node();
  await send(address, "one", "two", "three");
  using api = new NodeApi({ address });
  const first = await api.queryGroupMessages(groupId, { direction: "ascending", limit: 2 });
  expect(first.messages.map(({ id }) => id)).toEqual([1n, 2n]);
  const cursor = first.next ?? 0n;
  const second = await api.queryGroupMessages(groupId, { direction: "ascending", limit: 2, cursor });
  expect(second).toMatchObject({ messages: [{ id: 3n }], next: undefined });
  const newest = await api.newestGroupMessages([Buffer.from("none"), groupId]);
  expect(newest.map((message) => message?.id)).toEqual([undefined, 3n]);
  expect((await api.queryWelcomeMessages(installationKey, {})).messages).toEqual([]);
  const refused = await api.sendGroupMessages([{ data: Buffer.from("no MLS") }]).catch((error: unknown) => error);
  expect(refused).toMatchObject({ name: "NodeError", status: "invalidArgument", retryable: false });
});

test("a stream that the node refuses ends with its reason", async () => {
  const { address } = await node();
  const topic = topicOf(GROUP, groupId);
  const stream = owned(openStream({ address, topics: [{ topic, cursor: (1n << 63n) + 5n }] }));
  const outcome = await readUntil(stream, () => false).catch((error: unknown) => error);
  expect(outcome).toMatchObject({ name: "NodeError", status: "invalidArgument" });
});

test("a transport aborts a stream that has said nothing yet", async () => {
  const { address } = await node();
  const stop = new AbortController();
  async function* silence() {
    await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    yield* [];
  }
  const frames = grpcTransport(address).open(silence(), stop.signal)[Symbol.asyncIterator]();
  expect((await frames.next()).value).toMatchObject({ kind: "started" });
  const pending = frames.next().catch((error: unknown) => error);
  stop.abort();
  expect(await pending).toBeInstanceOf(Error);
});
