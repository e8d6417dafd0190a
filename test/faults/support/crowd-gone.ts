/** Fault 9: a crowd of streams beside an honest one is torn down, again and again. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { systemClock } from "../../../src/base/clock";
import { Crowd } from "./crowd";
import { Drill } from "./drill";
import { waitedForCoreMs } from "./handles";
import { FaultNode } from "./node";
import { scaled } from "./settings";

const CONNECTIONS = scaled(500);
const STREAMS = 20;
const MIB = 1_048_576;
/**
 * What a node may hold more than when it began, once it has given back what it can: of 120 000 streams, a leak of 1 KiB
 * each would be 117 MiB on top of what one crowd makes its engine keep.
 */
const MORE_RSS_BYTES = 160 * MIB;

/** What tearing a crowd down once has shown. */
interface Round {
  /**
   * From the word to go until the node holds no stream and no socket of the crowd, in milliseconds, without the time
   * in which the node had no core to run on.
   */
  readonly releaseMs: number;
  readonly rssMiB: number;
}

/**
 * @param how each crowd goes: all its connections are reset, or its process is killed
 * @param withinMs how long the node may take to let go of all it held of a crowd
 */
export async function tearDownCrowds(
  title: string,
  how: readonly ("reset" | "kill")[],
  withinMs: number,
): Promise<void> {
  await using node = await FaultNode.start();
  await using drill = new Drill({ fault: 9, title });
  const topics = drill.topics({ groups: 200 });
  // A part of the crowd is given what the honest stream is given, and may be in the middle of that.
  const stream = drill.subscribe(node, { topics: topics.slice(0, 4) });
  const publisher = drill.publish(node, { topics: topics.slice(0, 4), perSecond: scaled(200), batch: 2 });
  await drill.allConnected(1);
  await drill.moreAcks(20);
  const { fds } = node.handles;
  const open = () => node.metric("tideline_streams_open");

  const rounds: Round[] = [];
  for (const means of how) {
    using crowd = await Crowd.open({ address: node.address, connections: CONNECTIONS, streams: STREAMS, topics });
    await drill.until(async () => (await open()) === 1 + CONNECTIONS * STREAMS, "the crowd to be open");
    await drill.moreAcks(20);
    const resetsBefore = resetsSent();
    const running = () => systemClock.now() - waitedForCoreMs(node.pid);
    const fromMs = running();
    await crowd[means]();
    await drill.until(async () => (await open()) === 1 && node.handles.fds <= fds + 8, "the crowd to be gone");
    const releaseMs = Math.round(running() - fromMs);
    rounds.push({ releaseMs, rssMiB: Math.round(node.handles.rssBytes / MIB) });
    if (means === "reset") expect(resetsSent() - resetsBefore).toBeGreaterThanOrEqual(CONNECTIONS);
    await drill.moreAcks(20);
  }
  const isBack = () => node.handles.rssBytes <= node.resting.rssBytes + MORE_RSS_BYTES;
  await drill.until(isBack, "memory to be given back");
  expect(stream.connects).toBe(1);
  expect([...publisher.failures]).toEqual([]);
  const releaseMs = Math.max(...rounds.map((round) => round.releaseMs));
  const figures = { releaseMs, rssOverRounds: rounds.map(({ rssMiB }) => rssMiB).join(" ") };
  await drill.finish({ readAt: node, figures });
  expect(releaseMs).toBeLessThan(withinMs);
}

/** TCP segments with RST that this machine has sent so far. */
function resetsSent(): number {
  const [names = [], values = []] = readFileSync("/proc/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Tcp:"))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("OutRsts")]);
}
