import { afterEach, expect, test } from "bun:test";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type MessageStream,
  NodeError,
  openStream,
  type StreamEvent,
  type StreamOptions,
  syncOnce,
  topicOf,
} from "../../src/client/index";
import { GROUP } from "../../src/core/topic";
import { VirtualClock } from "../support/virtual-clock";
import { delivery, groupMessage, ScriptedTransport } from "./scripted-transport";

const topic = topicOf(GROUP, Uint8Array.of(1));
const STARTED = { kind: "started", keepaliveMs: 1_000 } as const;

/** Virtual time whose wall clock can jump ahead, as it does while a machine sleeps. */
class SleepyClock extends VirtualClock {
  sleptMs = 0;
  override wallNs(): bigint {
    return super.wallNs() + BigInt(this.sleptMs) * 1_000_000n;
  }
}

const cleanup: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of cleanup.splice(0)) await close();
});

function bench(open: (options: StreamOptions) => MessageStream, options: Partial<StreamOptions> = {}) {
  const transport = new ScriptedTransport();
  const clock = new SleepyClock();
  const topics = [{ topic, cursor: 0n }];
  const stream = open({ address: "http://unused", transport, clock, random: () => 0.5, topics, ...options });
  cleanup.push(async () => {
    await stream.close();
    expect(clock.armed).toBe(0);
    expect(transport.streams.every(({ signal, halfClosed }) => signal.aborted || halfClosed)).toBe(true);
  });
  return { transport, clock, stream, settle: () => clock.advanceAsync(0) };
}

async function nextOf(stream: MessageStream, kind: StreamEvent["kind"]): Promise<StreamEvent> {
  for (;;) {
    const { value } = await stream.next();
    if (value === undefined) throw new Error(`the stream ended before an event of kind ${kind}`);
    if (value.kind === kind) return value;
  }
}

async function idsOf(stream: MessageStream): Promise<readonly bigint[]> {
  const event = await nextOf(stream, "messages");
  return event.kind === "messages" ? event.messages.map((message) => message.id) : [];
}

test("a stream hands out messages with their lane, and markers, in the order of the node", async () => {
  const { transport, stream, settle } = bench(openStream);
  await settle();
  expect(transport.last.heard).toMatchObject([{ kind: "mutate", mutate: { id: 1n } }]);
  transport.last.say(STARTED, delivery(1n, groupMessage(topic, 1n)), { kind: "topicsLive", topics: [topic] });
  transport.last.say({ kind: "catchupComplete", mutateId: 1n }, delivery(0n, groupMessage(topic, 2n)));
  const kinds: string[] = [];
  for await (const event of stream) {
    kinds.push(event.kind === "messages" ? `messages in ${event.lane}` : event.kind);
    if (kinds.at(-1) === "messages in 0") break;
  }
  expect(kinds.filter((kind) => kind !== "connecting" && kind !== "connected")).toEqual([
    "messages in 1",
    "topicsLive",
    "catchupComplete",
    "messages in 0",
  ]);
});

test("Pings are answered though the consumer takes nothing (C-1)", async () => {
  const { transport, settle } = bench(openStream);
  transport.last.say(STARTED, delivery(1n, groupMessage(topic, 1n)), { kind: "ping", nonce: 5n });
  await settle();
  expect(transport.last.heard).toContainEqual({ kind: "pong", nonce: 5n });
});

test("what the consumer has not taken when a stream breaks is fetched again, what it has taken is not (C-3)", async () => {
  const { transport, clock, stream } = bench(openStream);
  await clock.advanceAsync(0);
  transport.last.say(STARTED, delivery(1n, groupMessage(topic, 1n)), delivery(1n, groupMessage(topic, 2n)));
  expect(await idsOf(stream)).toEqual([1n]);
  expect(stream.cursorOf(topic)).toBe(1n);
  // Silence, until the watchdog replaces the stream with the second message still in the buffer.
  await clock.advanceAsync(3_100);
  await clock.advanceAsync(100);
  expect(transport.streams).toHaveLength(2);
  expect(transport.last.heard).toMatchObject([{ kind: "mutate", mutate: { id: 2n, adds: [{ topic, cursor: 1n }] } }]);
  transport.last.say(STARTED, delivery(2n, groupMessage(topic, 2n)));
  expect(await idsOf(stream)).toEqual([2n]);
  expect(stream.cursors()).toEqual([{ topic, cursor: 2n }]);
});

test("no more is read than may wait for the consumer, and silence then is nobody's fault", async () => {
  const { transport, clock, stream } = bench(openStream, { maxBufferedBytes: 10_000 });
  await clock.advanceAsync(0);
  transport.last.say(STARTED);
  for (let id = 1n; id <= 10n; id++) transport.last.say(delivery(1n, groupMessage(topic, id, 4_000)));
  await clock.advanceAsync(60_000);
  expect(transport.last.taken).toBe(4);
  expect(transport.streams).toHaveLength(1);
  const ids: bigint[] = [];
  while (ids.length < 10) ids.push(...(await idsOf(stream)));
  expect(ids).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n]);
});

test("a stream that ends comes back by itself, and tells so", async () => {
  const { transport, clock, stream } = bench(openStream);
  transport.last.say(STARTED);
  expect(await nextOf(stream, "connected")).toEqual({ kind: "connected", keepaliveMs: 1_000 });
  transport.last.end(new ConnectError("going down", Code.Unavailable));
  expect(await nextOf(stream, "waiting")).toEqual({
    kind: "waiting",
    retryMs: 50,
    loss: { status: "unavailable", detail: "going down" },
  });
  await clock.advanceAsync(50);
  expect(transport.streams).toHaveLength(2);
});

test("a consumer that is away for long hears only of the latest state", async () => {
  const { transport, clock, stream } = bench(openStream);
  for (let i = 0; i < 3; i++) {
    await clock.advanceAsync(11_000);
    await clock.advanceAsync(1_000);
  }
  expect(transport.streams.length).toBeGreaterThan(3);
  transport.last.say(STARTED);
  await clock.advanceAsync(0);
  expect((await stream.next()).value?.kind).toBe("connected");
});

test("a refusal ends the iteration with an error that says why", async () => {
  const { transport, stream } = bench(openStream);
  transport.last.say(STARTED);
  transport.last.end(new ConnectError("unknown kind 9", Code.InvalidArgument));
  const refused = await nextOf(stream, "waiting").catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(NodeError);
  expect(refused).toMatchObject({ status: "invalidArgument", message: "invalidArgument: unknown kind 9" });
});

test("aborting the signal ends the iteration, also when it has been aborted all along", async () => {
  const stop = new AbortController();
  const { stream } = bench(openStream, { signal: stop.signal });
  await nextOf(stream, "connecting");
  const pending = stream.next();
  stop.abort();
  expect(await pending).toEqual({ done: true, value: undefined });
  const late = bench(openStream, { signal: stop.signal });
  while (!(await late.stream.next()).done);
});

test("topics can be added and removed at any time, in one Mutate per turn (C-4)", async () => {
  const { transport, stream, settle } = bench(openStream);
  await settle();
  const other = topicOf(GROUP, Uint8Array.of(2));
  stream.add({ topic: other, cursor: 7n });
  stream.remove(topic);
  await settle();
  expect(transport.last.heard.slice(1)).toEqual([
    {
      kind: "mutate",
      mutate: { id: 2n, adds: [{ topic: other, cursor: 7n }], removes: [topic], historyOnly: false },
    },
  ]);
});

test("a machine that slept probes its stream, and replaces it when no answer comes (C-2, C-6)", async () => {
  const { transport, clock, stream } = bench(openStream);
  transport.last.say(STARTED);
  await nextOf(stream, "connected");
  clock.sleptMs = 3_600_000;
  const ping = (nonce: bigint) => ({ kind: "ping", nonce }) as const;
  // Noticed at the next heartbeat, or whenever something else happens.
  transport.last.say(ping(1n));
  await clock.advanceAsync(100);
  expect(transport.last.heard.filter(({ kind }) => kind === "ping")).toEqual([ping(1n)]);
  await clock.advanceAsync(5_000);
  expect(transport.streams).toHaveLength(2);
});

test("a bounded sync ends by itself when all is there, and knows where to go on (C-5)", async () => {
  const { transport, stream, settle } = bench(syncOnce);
  await settle();
  const [first] = transport.last.heard;
  expect(first).toMatchObject({ kind: "mutate", mutate: { historyOnly: true } });
  transport.last.say(STARTED, delivery(1n, groupMessage(topic, 3n)), { kind: "catchupComplete", mutateId: 1n });
  const kinds: string[] = [];
  const done = (async () => {
    for await (const event of stream) kinds.push(event.kind);
  })();
  await settle();
  expect(transport.last.halfClosed).toBe(true);
  transport.last.end();
  await done;
  expect(kinds).toContain("messages");
  expect(stream.cursors()).toEqual([{ topic, cursor: 3n }]);
});

test("a bounded sync gives up on a node that is there, but whose store is not", async () => {
  const { transport, clock, stream } = bench(syncOnce);
  const outcome = (async () => {
    for await (const _ of stream);
  })().catch((error: unknown) => error);
  for (let attempt = 0; attempt < 5; attempt++) {
    transport.last.say(STARTED);
    await clock.advanceAsync(2_000);
    transport.last.end(new ConnectError("the store could not be read", Code.Unavailable));
    await clock.advanceAsync(2_000);
  }
  const words = { name: "NodeError", status: "unavailable", message: expect.stringContaining("the store") };
  expect(await outcome).toMatchObject(words);
  expect(transport.streams).toHaveLength(5);
});

test("a bounded sync gives up on a node that is not there", async () => {
  const { transport, clock, stream } = bench(syncOnce);
  const outcome = (async () => {
    for await (const _ of stream);
  })().catch((error: unknown) => error);
  for (let attempt = 0; attempt < 5; attempt++) {
    transport.last.end(new ConnectError("connection refused", Code.Unavailable));
    await clock.advanceAsync(2_000);
  }
  expect(await outcome).toMatchObject({ name: "NodeError", status: "unavailable", unreachable: true });
  expect(transport.streams).toHaveLength(5);
});
