import { afterEach, expect, test } from "bun:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { type MessageStream, openStream, type SubscribeTransport, topicOf } from "../../src/client/index";
import type { OlderCalls } from "../../src/client/older-calls";
import { OlderStreams } from "../../src/client/older-streams";
import type { Want } from "../../src/core/connection/events";
import { GROUP, WELCOME } from "../../src/core/topic";
import { VirtualClock } from "../support/virtual-clock";
import { readUntil } from "./conversation";
import { groupMessage } from "./scripted-transport";

const A = topicOf(GROUP, Uint8Array.of(1));
const B = topicOf(GROUP, Uint8Array.of(2));
const W = topicOf(WELCOME, Uint8Array.of(3));

const streams: MessageStream[] = [];

afterEach(async () => {
  for (const stream of streams.splice(0)) await stream.close();
});

/** A node without history, whose server streams say what the test lets them. */
class ScriptedCalls implements OlderCalls {
  readonly followed: (readonly Want[])[] = [];
  /** What each further server stream says before it falls silent, or ends with this error. */
  readonly said: (readonly (ReturnType<typeof groupMessage> | Error)[])[] = [];

  async history() {
    return { messages: [], next: undefined };
  }

  async *follow(_kind: unknown, wants: readonly Want[], signal: AbortSignal) {
    this.followed.push(wants);
    for (const said of this.said.shift() ?? []) {
      if (said instanceof Error) throw said;
      yield said;
    }
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
}

function bench(...topics: readonly Want["topic"][]) {
  const calls = new ScriptedCalls();
  const clock = new VirtualClock();
  const transport: SubscribeTransport = { open: (requests, signal) => new OlderStreams(calls, signal).open(requests) };
  const wants = topics.map((topic) => ({ topic, cursor: 0n }));
  const stream = openStream({ address: "http://unused", transport, clock, random: () => 0, topics: wants });
  streams.push(stream);
  return { calls, clock, stream };
}

test("a server stream that says nothing for three intervals is opened anew: none of it is quietly dead (C-2, C-7)", async () => {
  const { calls, clock, stream } = bench(A);
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  await clock.advanceAsync(89_000);
  expect(calls.followed).toHaveLength(1);
  await clock.advanceAsync(2_000);
  await readUntil(stream, ({ kind }) => kind === "catchupComplete");
  expect(calls.followed).toHaveLength(2);
});

test("each kind has a server stream of its own, and one whose kind nobody wants is not opened", async () => {
  const both = bench(A, B, W);
  await readUntil(both.stream, ({ kind }) => kind === "catchupComplete");
  expect(both.calls.followed.map((wants) => wants.map(({ topic }) => topic))).toEqual([[A, B], [W]]);
  const one = bench(W);
  await readUntil(one.stream, ({ kind }) => kind === "catchupComplete");
  expect(one.calls.followed.map((wants) => wants.map(({ topic }) => topic))).toEqual([[W]]);
});

test("older streams ascend within each topic only: what one topic has got says nothing of another (C-3, C-7)", async () => {
  const { calls, stream } = bench(A, B);
  const broken = new ConnectError("broken", Code.Unavailable);
  calls.said.push([groupMessage(A, 7n), broken]);
  await readUntil(stream, ({ kind }) => kind === "messages");
  expect(stream.cursors()).toEqual([
    { topic: A, cursor: 7n },
    { topic: B, cursor: 0n },
  ]);
});

test("a message that a server stream repeats is delivered once", async () => {
  const { calls, stream } = bench(A);
  calls.said.push([groupMessage(A, 7n), groupMessage(A, 7n), groupMessage(A, 6n), groupMessage(A, 8n)]);
  const events = await readUntil(stream, (event) => event.kind === "messages" && event.messages[0]?.id === 8n);
  const ids = events.flatMap((event) => (event.kind === "messages" ? event.messages.map(({ id }) => id) : []));
  expect(ids).toEqual([7n, 8n]);
});
