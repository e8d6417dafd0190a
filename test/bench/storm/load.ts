/**
 * Many streams, all of whose topics are current, connect over a while; then all reconnect over a while; then each gets
 * one message. Nothing else may come on any of them.
 *
 * A connection goes with all its streams and comes back with all of them, their Mutates right behind.
 */

import { parseArgs } from "node:util";
import { addRequest, readResponse } from "../catchup/frames";
import { groupIdOf } from "../catchup/shape";
import { type RowsRead, rowsBetween, rowsRead } from "../memory/costs";
import { embeddedTarget } from "../support/database";
import { readPids, startMeter } from "../support/meter";
import { mlsMessage, pongRequest, sendRequest } from "../support/protobuf";
import { quantile } from "../support/question";
import { RawConnection } from "../support/raw-h2";
import { Progress } from "../support/streams";
import { startLiveProbe } from "./live-probe";
import type { OneEach, Storm } from "./measure";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    /** Directory of the database's socket; empty: rows are not counted. */
    database: { type: "string", default: "" },
    /** Messages there are: one for each of the topics from 1 on, in this order. 0: topics that nobody has heard of. */
    filled: { type: "string", default: "0" },
    streams: { type: "string", default: "1000" },
    topics: { type: "string", default: "100" },
    connections: { type: "string", default: "100" },
    seconds: { type: "string", default: "10" },
  },
});
const streamCount = Number(values.streams);
const topicsPerStream = Number(values.topics);
const connectionCount = Number(values.connections);
const filled = Number(values.filled);
const durationMs = Number(values.seconds) * 1_000;
/** Until the live probe's code is compiled; and how long what it costs is measured. */
const warmUpMs = Math.min(1_000, durationMs);
/** Messages in a publish request, and requests at once. */
const BATCH = 50;
const REQUESTS = 8;
/** How long a message that comes twice is waited for. */
const AFTERMATH_MS = 300;

/** One stream over all its connections. */
interface Client {
  readonly ownTopic: Uint8Array;
  readonly request: Buffer;
  /** When it began to reconnect; `undefined` once its wave is complete. */
  since: number | undefined;
  received: number;
}

const salt = Buffer.from(crypto.getRandomValues(new Uint8Array(8)));
const clients = Array.from({ length: streamCount }, (_, index) => newClient(index));
const connections: (RawConnection | undefined)[] = [];
const progress = new Progress();
let waiting = 0;
let expectsMessages = false;
let delivered = 0;
let waitedMs: number[] = [];

const first = await storm();
const again = await storm();
const oneEach = await sendOneEach();
console.log(JSON.stringify({ first, again, oneEach }));
process.exit(0);

/** A topic of its own, and others that it shares with other streams. */
function newClient(index: number): Client {
  const shared = Math.max(1, filled - streamCount);
  const topics = Array.from({ length: topicsPerStream }, (_, nth) => {
    const position = index * (topicsPerStream - 1) + nth - 1;
    if (filled === 0) return nth === 0 ? index + 1 : streamCount + 1 + position;
    return nth === 0 ? index + 1 : streamCount + 1 + (position % shared);
  });
  // The store has one message for each topic, its id is the topic's number: so every cursor is a topic's own head.
  const adds = topics.map((topic) => ({ groupId: groupOf(topic), cursor: filled === 0 ? 0 : topic }));
  return { ownTopic: groupOf(index + 1), request: addRequest(1, adds), since: undefined, received: 0 };
}

function groupOf(topic: number): Uint8Array {
  if (filled > 0) return groupIdOf(topic);
  return Buffer.concat([salt, groupIdOf(topic).subarray(8)]);
}

/** All connections come, or go and come back, evenly over the duration. */
async function storm(): Promise<Storm> {
  const probe = await startLiveProbe(values.address, warmUpMs);
  const rowsBefore = await rowsIfAny();
  await Bun.sleep(2 * warmUpMs); // counting rows has cost the node its reading sessions
  await probe.begin();
  const probeCpuPerMs = await measureProbe();
  const calm = await probe.begin();
  const endMeter = startMeter(readPids(values.pid));
  waitedMs = [];
  const started = performance.now();
  for (let index = 0; index < connectionCount; ) {
    const due = ((performance.now() - started) / durationMs) * connectionCount;
    for (; index < Math.min(due, connectionCount); index++) void reconnect(index);
    await Bun.sleep(1);
  }
  await progress.until(() => waitedMs.length === streamCount && waiting === 0, "all streams to catch up");
  const metered = endMeter();
  const live = await probe.end();
  const rowsAfter = await rowsIfAny();
  return {
    clientCpuShare: metered.clientCpuShare,
    serverCpuSeconds: (metered.serverCpuSeconds ?? Number.NaN) - probeCpuPerMs * metered.ms,
    completeMs: metered.ms,
    p50: quantile(waitedMs, 0.5),
    p99: quantile(waitedMs, 0.99),
    live,
    calm,
    ...(rowsBefore === undefined || rowsAfter === undefined ? {} : { rowsRead: rowsBetween(rowsBefore, rowsAfter) }),
  };
}

/** CPU time of the node in seconds that a millisecond of the live probe alone takes; NaN if that is not ours to look at. */
async function measureProbe(): Promise<number> {
  const endMeter = startMeter(readPids(values.pid));
  await Bun.sleep(warmUpMs);
  const { serverCpuSeconds = Number.NaN, ms } = endMeter();
  return serverCpuSeconds / ms;
}

async function rowsIfAny(): Promise<RowsRead | undefined> {
  return values.database === "" ? undefined : await rowsRead(embeddedTarget(values.database));
}

async function reconnect(index: number): Promise<void> {
  connections[index]?.close();
  waiting++;
  const since = performance.now();
  const connection = await RawConnection.open(values.address);
  connections[index] = connection;
  for (let at = index; at < clients.length; at += connectionCount) {
    const client = clients[at];
    if (client !== undefined) openStream(connection, client, since);
  }
  waiting--;
}

function openStream(connection: RawConnection, client: Client, since: number): void {
  client.since = since;
  const stream = connection.open("/xmtp.mls.api.v1.MlsApi/Subscribe", {
    onMessage: (bytes) => {
      const response = readResponse(bytes);
      if (response.kind === "ping") stream.send(pongRequest(response.nonce));
      if (response.kind === "complete") complete(client);
      if (response.kind === "messages") receive(client, response.ids.length);
    },
    onEnd: () => {
      throw new Error("a stream ended in the middle");
    },
  });
  stream.send(client.request);
}

function complete(client: Client): void {
  if (client.since === undefined) throw new Error("an ack came that nobody waits for");
  waitedMs.push(performance.now() - client.since);
  client.since = undefined;
  progress.made();
}

function receive(client: Client, count: number): void {
  if (!expectsMessages) throw new Error("messages came although there was nothing new");
  client.received += count;
  delivered += count;
  progress.made();
}

/** Publishes one message to each stream's own topic. */
async function sendOneEach(): Promise<OneEach> {
  expectsMessages = true;
  const publisher = await RawConnection.open(values.address);
  const endMeter = startMeter(readPids(values.pid));
  let next = 0;
  const caller = async () => {
    while (next < clients.length) {
      const batch = clients.slice(next, next + BATCH);
      next += batch.length;
      const messages = batch.map(({ ownTopic }) => mlsMessage(ownTopic, Buffer.alloc(8), 256));
      await publisher.call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest(messages));
    }
  };
  await Promise.all(Array.from({ length: REQUESTS }, caller));
  await progress.until(() => delivered >= streamCount, "one message on each stream");
  const metered = endMeter();
  await Bun.sleep(AFTERMATH_MS);
  const wrong = clients.filter(({ received }) => received !== 1).length;
  if (wrong > 0) throw new Error(`${wrong} streams did not get exactly one message; ${delivered} came in all`);
  return { ...metered, deliveredMs: metered.ms };
}
