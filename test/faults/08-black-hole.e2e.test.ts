import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { UnreliableRelay } from "../support/unreliable-relay";
import { Drill } from "./support/drill";
import { connectionsAt } from "./support/handles";
import { FaultNode } from "./support/node";
import { scaled } from "./support/settings";
import { TailProcess } from "./support/tail-process";

const KEEPALIVE_MS = 1_000;
const STALL_MS = 4_000;
/** What a Ping, timers and a machine that stands still may add, in milliseconds: the intervals of no setting would take 60 000. */
const LATE_MS = 15_000;
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
  await drill.until(async () => (await node.metric("tideline_pings_total")) > 0, "a Ping on the quiet stream");

  const connections = connectionsAt(node.address);
  relay.freeze();
  const frozenAt = systemClock.now();
  const since = () => Math.round(systemClock.now() - frozenAt);
  await drill.until(async () => (await node.metric(REAPED)) >= 1, "the quiet stream to be reaped");
  const reapedMs = since();
  whisper.resume();
  await drill.until(() => quiet.connects > 1 && busy.connects > 1, "both clients to come back");
  const backMs = since();
  // No Ping is due while frames leave: a busy stream is gone when nothing is taken any more.
  await drill.until(async () => ((await node.metrics()).get(STALLED) ?? 0) >= 1, "the busy stream to be over");
  const stalledMs = since();
  // The relay still holds them open.
  await drill.until(() => connectionsAt(node.address) <= connections, "the dead connections to be closed");
  const closedMs = since();
  await drill.moreAcks(20);
  expect(reapedMs).toBeLessThan(2 * KEEPALIVE_MS + LATE_MS);
  expect(backMs).toBeLessThan(3 * KEEPALIVE_MS + 2 * LATE_MS);
  expect(beside.connects).toBe(1);
  await drill.finish({ readAt: node, figures: { reapedMs, backMs, stalledMs, closedMs } });
});

test("a suspended client is reaped although its kernel still answers; woken up, it gets what it missed, once (R-43, C-6)", async () => {
  await using node = await FaultNode.start({ env: ENV });
  await using drill = new Drill({ fault: 8, title: "client suspended" });
  const topics = drill.topics({ groups: 1 });
  const stream = drill.subscribe(node, { topics });
  const publisher = drill.publish(node, { topics, perSecond: scaled(100), batch: 2 });
  await drill.moreAcks(10);
  await using tail = TailProcess.start(node.address, topics);
  await drill.until(() => tail.isLive, "the program to be live");
  publisher.pause();
  await drill.until(async () => (await node.metric("tideline_pings_total")) > 1, "its Ping");

  tail.suspend();
  const suspendedAt = systemClock.now();
  await drill.until(async () => (await node.metric(REAPED)) > 0, "it to be reaped");
  const reapedMs = Math.round(systemClock.now() - suspendedAt);
  publisher.resume();
  await drill.moreAcks(20);
  tail.wake();
  await drill.moreAcks(20);
  await publisher.stop();
  await drill.until(() => tail.ids.length >= stream.reading.received, "the program to have everything");
  expect(tail.ids).toEqual([...stream.reading.ids]);
  expect(reapedMs).toBeLessThan(2 * KEEPALIVE_MS + LATE_MS);
  await tail.end();
  await drill.finish({ readAt: node, figures: { reapedMs, printed: tail.ids.length } });
});
