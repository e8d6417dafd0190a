import { afterEach, expect, test } from "bun:test";
import { GROUP, openStream, type StreamEvent, syncOnce, topicOf } from "../../src/client/index";
import { FROM_START, group, idsIn, readUntil, send, sendWelcome, welcome } from "./conversation";
import { startNodeInMemory } from "./node-in-memory";
import { startOlderNode } from "./older-node";

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

function owned<T extends AsyncDisposable>(one: T): T {
  open.push(one);
  return one;
}

/** The node behind serves sends too; the older one has its messages. */
async function nodes() {
  const behind = owned(await startNodeInMemory());
  const older = owned(await startOlderNode(behind.address));
  return { behind: behind.address, older };
}

test("C-7: on a node without Subscribe, history and live come by the older calls, each once", async () => {
  const { behind, older } = await nodes();
  await send(behind, "one", "two");
  await sendWelcome(behind, "hello");
  const stream = owned(openStream({ address: older.address, topics: FROM_START, random: () => 0 }));
  const history = await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  expect(idsIn(history).toSorted()).toEqual(["0/1", "0/2", "1/1"]);
  expect(history.find(({ kind }) => kind === "waiting")).toMatchObject({
    loss: { status: "unavailable", detail: "the node serves no Subscribe: trying the older streams" },
  });
  await send(behind, "three");
  const live = await readUntil(stream, ({ kind }) => kind === "messages");
  expect(idsIn(live)).toEqual(["0/3"]);
  expect(live.at(-1)).toMatchObject({ lane: 0n });
});

test("C-7: an added topic is caught up, and the others go on where they were; a removed one is silent", async () => {
  const { behind, older } = await nodes();
  const stream = owned(openStream({ address: older.address, topics: FROM_START.slice(0, 1), random: () => 0 }));
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  await send(behind, "one");
  await readUntil(stream, ({ kind }) => kind === "messages");
  await sendWelcome(behind, "hello");
  stream.add({ topic: welcome, cursor: 0n });
  expect(idsIn(await readUntil(stream, ({ kind }) => kind === "catchupComplete"))).toEqual(["1/1"]);
  await send(behind, "two");
  expect(idsIn(await readUntil(stream, ({ kind }) => kind === "messages"))).toEqual(["0/2"]);
  stream.remove(group);
  stream.add({ topic: topicOf(GROUP, Buffer.from("another")), cursor: 0n });
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  await send(behind, "nobody wants this");
  await sendWelcome(behind, "but this");
  expect(idsIn(await readUntil(stream, ({ kind }) => kind === "messages"))).toEqual(["1/2"]);
});

test("C-7: a bounded sync by queries brings everything, and ends", async () => {
  const { behind, older } = await nodes();
  await send(behind, ...Array.from({ length: 250 }, (_, i) => `message ${i}`));
  await sendWelcome(behind, "hello");
  const stream = owned(syncOnce({ address: older.address, topics: FROM_START, random: () => 0 }));
  const events: StreamEvent[] = [];
  for await (const event of stream) events.push(event);
  expect(idsIn(events)).toHaveLength(251);
  expect(older.calls.streams).toBe(0);
});

test("C-7: when the older streams break, the next ones go on where they were", async () => {
  const { behind, older } = await nodes();
  await send(behind, "one");
  const stream = owned(openStream({ address: older.address, topics: FROM_START, random: () => 0 }));
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  older.hangUp();
  await send(behind, "two");
  expect(idsIn(await readUntil(stream, ({ kind }) => kind === "messages"))).toEqual(["0/2"]);
  expect(stream.cursors()).toEqual([
    { topic: group, cursor: 2n },
    { topic: welcome, cursor: 0n },
  ]);
});
