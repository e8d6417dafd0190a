import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { UnreliableRelay } from "../support/unreliable-relay";
import { Drill } from "./support/drill";
import { connectionsAt } from "./support/handles";
import { FaultNode } from "./support/node";
import { scaled } from "./support/settings";
import { TailProcess } from "./support/tail-process";

const KEEPALIVE_MS = 1_000;
const STALL_MS = 2_000;
/** What a Ping, timers and a busy machine may add, in milliseconds. */
const LATE_MS = 1_500;
const ENV = { TIDELINE_KEEPALIVE_MS: `${KEEPALIVE_MS}`, TIDELINE_STALL_MS: `${STALL_MS}` };
const REAPED = "tideline_streams_reaped_total";
const STALLED = 'tideline_streams_ended_total{reason="stalled"}';

test("in a black hole between node and client, each notices: the node reaps, the client comes back (R-42, R-43, C-2)", async () => {
  await using node = await FaultNode.start({ env: ENV });
  await using relay = await UnreliableRelay.before(Number(node.address.split(":").at(-1)));
  await using drill = new Drill({ fault: 8, title: "black hole" });
  const through = relay.address.replace("http://", "");
  const topics = drill.topics({ groups: 4 });
  const quietTopics = drill.topics({ groups: 1 });
  const quiet = drill.subscribe(node, { topics: quietTopics, through, name: "a quiet stream in the hole" });
  const busy = drill.subscribe(node, { topics, through, name: "a busy stream in the hole" });
  const beside = drill.subscribe(node, { topics, name: "a stream beside" });
  // As much as fills what the kernel holds for a peer that does not read, within seconds.
  drill.publish(node, { topics, perSecond: 200, bytes: 64 * 1_024, batch: 8 });
  const whisper = drill.publish(node, { topics: quietTopics, perSecond: 20, batch: 1 });
  await drill.allConnected(1);
  await drill.moreAcks(20);
  whisper.pause();
  await drill.until("a Ping on the quiet stream", 5_000, async () => (await node.metric("tideline_pings_total")) > 0);

  const connections = connectionsAt(node.address);
  relay.freeze();
  const frozenAt = systemClock.now();
  const since = () => Math.round(systemClock.now() - frozenAt);
  await drill.until("the quiet stream to be reaped", 10_000, async () => (await node.metric(REAPED)) >= 1);
  const reapedMs = since();
  whisper.resume();
  await drill.until("both clients to come back", 15_000, () => quiet.connects === 2 && busy.connects === 2);
  const backMs = since();
  // No Ping is due while frames leave: a busy stream is gone when nothing is taken any more.
  await drill.until("the busy stream to be over", 30_000, async () => ((await node.metrics()).get(STALLED) ?? 0) >= 1);
  const stalledMs = since();
  // The relay still holds them open.
  await drill.until("the dead connections to be closed", 10_000, () => connectionsAt(node.address) <= connections);
  const closedMs = since();
  await drill.moreAcks(20);
  expect(reapedMs).toBeLessThan(2 * KEEPALIVE_MS + LATE_MS);
  expect(backMs).toBeLessThan(3 * KEEPALIVE_MS + 2 * LATE_MS);
  expect(beside.connects).toBe(1);
  await drill.finish({ readAt: node, figures: { reapedMs, backMs, stalledMs, closedMs } });
}, 90_000);

test("a suspended client is reaped although its kernel still answers; woken up, it gets what it missed, once (R-43, C-6)", async () => {
  await using node = await FaultNode.start({ env: ENV });
  await using drill = new Drill({ fault: 8, title: "client suspended" });
  const topics = drill.topics({ groups: 1 });
  const stream = drill.subscribe(node, { topics });
  const publisher = drill.publish(node, { topics, perSecond: scaled(100), batch: 2 });
  await drill.moreAcks(10);
  await using tail = TailProcess.start(node.address, topics);
  await drill.until("the program to be live", 10_000, () => tail.isLive);
  publisher.pause();
  await drill.until("its Ping", 5_000, async () => (await node.metric("tideline_pings_total")) > 1);

  tail.suspend();
  const suspendedAt = systemClock.now();
  await drill.until("it to be reaped", 10_000, async () => (await node.metric(REAPED)) === 1);
  const reapedMs = Math.round(systemClock.now() - suspendedAt);
  publisher.resume();
  await drill.moreAcks(20);
  tail.wake();
  await drill.moreAcks(20);
  await publisher.stop();
  await drill.until("the program to have everything", 15_000, () => tail.ids.length >= stream.reading.received);
  expect(tail.ids).toEqual([...stream.reading.ids]);
  expect(reapedMs).toBeLessThan(2 * KEEPALIVE_MS + LATE_MS);
  await tail.end();
  await drill.finish({ readAt: node, figures: { reapedMs, printed: tail.ids.length } });
}, 60_000);
