/**
 * Adds current topics: first one at a time on many streams at a steady pace, then very many by one Mutate. Each Mutate
 * must be acked once, and no message may come.
 */

import { parseArgs } from "node:util";
import { addRequest, readResponse } from "../catchup/frames";
import { groupIdOf } from "../catchup/shape";
import { startLiveProbe } from "../storm/live-probe";
import { type Metered, readPids, startMeter } from "../support/meter";
import { pongRequest } from "../support/protobuf";
import { quantile } from "../support/question";
import { RawConnection } from "../support/raw-h2";
import { Progress } from "../support/streams";
import type { BigMutate, Paced } from "./measure";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    /** Messages there are: one for each of the topics from 1 on, in this order. 0: topics that nobody has heard of. */
    filled: { type: "string", default: "0" },
    streams: { type: "string", default: "100" },
    rate: { type: "string", default: "1000" },
    adds: { type: "string", default: "100000" },
    seconds: { type: "string", default: "2" },
  },
});
const [filled, streamCount] = [Number(values.filled), Number(values.streams)];
const [rate, adds, durationMs] = [Number(values.rate), Number(values.adds), Number(values.seconds) * 1_000];
const CONNECTIONS = 10;
const warmUpMs = Math.min(1_000, durationMs);
const salt = Buffer.from(crypto.getRandomValues(new Uint8Array(8)));
const progress = new Progress();

const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => RawConnection.open(values.address)));
await addOneByOne(adds >> 1); // until then both ends are being compiled
const paced = await addOneByOne(0);
const known = await addOneByOne(0);
const big = await addMany();
const bigKnown = await addMany();
console.log(JSON.stringify({ paced, known, big, bigKnown }));
process.exit(0);

/** A stream that knows when each of its Mutates was sent, and acked. */
class Client {
  readonly latenciesMs: number[] = [];
  readonly #sent = new Map<number, number>();
  readonly #send: (request: Buffer) => void;
  #mutates = 0;

  constructor(connection: RawConnection) {
    const stream = connection.open("/xmtp.mls.api.v1.MlsApi/Subscribe", {
      onMessage: (bytes) => this.#take(bytes, (request) => stream.send(request)),
      onEnd: () => {
        throw new Error("a stream ended in the middle");
      },
    });
    this.#send = (request) => stream.send(request);
  }

  get isAcked(): boolean {
    return this.#sent.size === 0;
  }

  /** Adds topics by their numbers: each from its own head, or from 0 where there is nothing. */
  add(topics: readonly number[]): void {
    const id = ++this.#mutates;
    const request = addRequest(
      id,
      topics.map((topic) => ({ groupId: groupOf(topic), cursor: filled === 0 ? 0 : topic })),
    );
    this.#sent.set(id, performance.now());
    this.#send(request);
  }

  #take(bytes: Buffer, send: (request: Buffer) => void): void {
    const response = readResponse(bytes);
    if (response.kind === "ping") send(pongRequest(response.nonce));
    if (response.kind === "messages") throw new Error("messages came although all topics are current");
    if (response.kind !== "complete") return;
    const sentAt = this.#sent.get(response.mutateId);
    if (sentAt === undefined) throw new Error("an ack came that nobody waits for");
    this.#sent.delete(response.mutateId);
    this.latenciesMs.push(performance.now() - sentAt);
    progress.made();
  }
}

function groupOf(topic: number): Uint8Array {
  return filled > 0 ? groupIdOf(topic) : Buffer.concat([salt, groupIdOf(topic).subarray(8)]);
}

function openClient(index: number): Client {
  const connection = connections[index % CONNECTIONS];
  if (connection === undefined) throw new Error("there is no connection");
  return new Client(connection);
}

/** One topic per Mutate, the streams in turn. Open loop: a late ack does not slow the next Mutate down. */
async function addOneByOne(firstTopic: number): Promise<Paced> {
  const clients = Array.from({ length: streamCount }, (_, index) => openClient(index));
  const endMeter = startMeter(readPids(values.pid));
  const started = performance.now();
  let mutates = 0;
  for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - started) {
    for (; mutates < (elapsedMs / 1_000) * rate; mutates++) {
      clients[mutates % streamCount]?.add([firstTopic + mutates + 1]);
    }
    await Bun.sleep(1);
  }
  await progress.until(() => clients.every(({ isAcked }) => isAcked), "the acks of all Mutates");
  const metered = endMeter();
  const latenciesMs = clients.flatMap(({ latenciesMs }) => latenciesMs);
  if (latenciesMs.length !== mutates) throw new Error(`${mutates} Mutates, ${latenciesMs.length} acks`);
  return { ...metered, mutates, p50: quantile(latenciesMs, 0.5), p99: quantile(latenciesMs, 0.99) };
}

/** Very many topics by one Mutate of a new stream, while others get live messages. */
async function addMany(): Promise<BigMutate> {
  const probe = await startLiveProbe(values.address, warmUpMs);
  const client = openClient(0);
  const topics = Array.from({ length: adds }, (_, nth) => nth + 1);
  await probe.begin();
  client.add(topics);
  const endMeter = startMeter(readPids(values.pid));
  await progress.until(() => client.isAcked, "the ack of the big Mutate");
  const metered: Metered = endMeter();
  await Bun.sleep(warmUpMs / 4); // live messages that were held up
  return { ...metered, ackMs: client.latenciesMs[0] ?? Number.NaN, live: await probe.end() };
}
