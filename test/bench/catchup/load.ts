/**
 * Catches up with a store that was filled by shape.ts, in one of several ways, and checks every id: those of a wave
 * must ascend, be of its topics and above their cursors, and be as many as the arithmetic of shape.ts says.
 */

import { parseArgs } from "node:util";
import { pongRequest } from "../support/protobuf";
import { quantile } from "../support/question";
import { RawConnection } from "../support/raw-h2";
import { addRequest, readResponse } from "./frames";
import { countAbove, groupIdOf, headOf, type StoreShape, topicOfId } from "./shape";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    way: { type: "string", default: "big" },
    big: { type: "string", default: "0" },
    topics: { type: "string", default: "1" },
    spread: { type: "string", default: "0" },
    bytes: { type: "string", default: "500" },
  },
});
const shape: StoreShape = {
  big: Number(values.big),
  topics: Number(values.topics),
  spread: Number(values.spread),
  bytes: Number(values.bytes),
};

/** One Mutate and what came of it. */
interface Wave {
  readonly firstTopic: number;
  /** Of the topics from the first on, in order. */
  readonly cursors: readonly number[];
  readonly expected: number;
  received: number;
  newestId: number;
  /** Moments, in milliseconds since the requests were sent. */
  firstFrameMs: number | undefined;
  ackMs: number | undefined;
}

const STREAMS_OF_WAVES = 10;
const WAVES_PER_STREAM = 10;
/** A recent cursor is at most so many messages of its topic behind; on average half of it. */
const RECENT_MESSAGES = 4;

const streams = wavesOf(values.way);
const waves = streams.flat();
let sentAt = 0;
let complete = 0;
const done = Promise.withResolvers<void>();

const connections = await Promise.all(streams.map(() => RawConnection.open(values.address)));
const starts = streams.map((own, index) => openStream(connections[index], own));
const senders = await Promise.all(starts);
const requests = streams.map((own) =>
  own.map(({ firstTopic, cursors }, index) =>
    addRequest(
      index + 1,
      cursors.map((cursor, offset) => ({ groupId: groupIdOf(firstTopic + offset), cursor })),
    ),
  ),
);
const cpuBefore = process.cpuUsage();
sentAt = performance.now();
for (const [index, send] of senders.entries()) for (const request of requests[index] ?? []) send(request);
await done.promise;
const ms = performance.now() - sentAt;
const cpu = process.cpuUsage(cpuBefore);

const messages = waves.reduce((sum, { received }) => sum + received, 0);
const wrong = waves.filter(({ received, expected }) => received !== expected);
if (wrong.length > 0)
  throw new Error(`${wrong.length} waves lack messages or have too many, e.g. ${describe(wrong[0])}`);
const firstFramesMs = waves.map(({ firstFrameMs, ackMs }) => firstFrameMs ?? ackMs ?? Number.NaN);
console.log(
  JSON.stringify({
    messages,
    topics: waves.reduce((sum, { cursors }) => sum + cursors.length, 0),
    messagesPerSecond: (messages / ms) * 1_000,
    firstFrameMs: quantile(firstFramesMs, 0.5),
    lastFirstFrameMs: quantile(firstFramesMs, 1),
    ackMs: Math.max(...waves.map(({ ackMs }) => ackMs ?? Number.NaN)),
    clientCpuShare: (cpu.user + cpu.system) / 1_000 / ms,
  }),
);
process.exit(0);

/** The Mutates of each stream. */
function wavesOf(way: string): readonly (readonly Wave[])[] {
  const { topics, spread } = shape;
  const own = spread / topics;
  switch (way) {
    case "big":
      return [[wave(0, [0])]];
    case "spread":
      return [
        [
          wave(
            1,
            Array.from({ length: topics }, () => 0),
          ),
        ],
      ];
    case "recent":
      return [
        [
          wave(
            1,
            range(topics, (topic) => behind(topic, randomBelow(Math.min(own, RECENT_MESSAGES) + 1))),
          ),
        ],
      ];
    case "current":
      return [
        [
          wave(
            1,
            range(topics, (topic) => headOf(shape, topic)),
          ),
        ],
      ];
    case "waves": {
      const share = topics / (STREAMS_OF_WAVES * WAVES_PER_STREAM);
      return Array.from({ length: STREAMS_OF_WAVES }, (_, stream) =>
        Array.from({ length: WAVES_PER_STREAM }, (_, index) =>
          wave(
            1 + (stream * WAVES_PER_STREAM + index) * share,
            Array.from({ length: share }, () => 0),
          ),
        ),
      );
    }
    default:
      throw new Error(`unknown way to catch up: ${way}`);
  }
}

function wave(firstTopic: number, cursors: readonly number[]): Wave {
  const expected = cursors.reduce((sum, cursor, offset) => sum + countAbove(shape, firstTopic + offset, cursor), 0);
  return { firstTopic, cursors, expected, received: 0, newestId: 0, firstFrameMs: undefined, ackMs: undefined };
}

/** A cursor that so many messages of its topic are above. */
function behind(topic: number, messages: number): number {
  return headOf(shape, topic) - messages * shape.topics;
}

function range<T>(count: number, of: (topic: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, index) => of(index + 1));
}

function randomBelow(bound: number): number {
  return Math.floor(Math.random() * bound);
}

/** Resolves, when the stream has started, with what sends a request on it. */
function openStream(connection: RawConnection | undefined, own: readonly Wave[]): Promise<(request: Buffer) => void> {
  if (connection === undefined) throw new Error("each stream has a connection");
  return new Promise((resolve) => {
    const stream = connection.open("/xmtp.mls.api.v1.MlsApi/Subscribe", {
      onMessage: (bytes) => {
        const response = readResponse(bytes);
        if (response.kind === "started") resolve((request) => stream.send(request));
        if (response.kind === "ping") stream.send(pongRequest(response.nonce));
        if (response.kind === "messages") take(own[response.mutateId - 1], response.ids);
        if (response.kind === "complete") finish(own[response.mutateId - 1]);
      },
      onEnd: () => {
        throw new Error("a stream ended in the middle");
      },
    });
  });
}

function take(wave: Wave | undefined, ids: readonly number[]): void {
  if (wave === undefined) throw new Error("messages came that belong to no wave");
  wave.firstFrameMs ??= performance.now() - sentAt;
  for (const id of ids) {
    const offset = topicOfId(shape, id) - wave.firstTopic;
    if (id <= wave.newestId || id <= (wave.cursors[offset] ?? id)) {
      throw new Error(`id ${id} came after ${wave.newestId} in ${describe(wave)}`);
    }
    wave.newestId = id;
  }
  wave.received += ids.length;
}

function finish(wave: Wave | undefined): void {
  if (wave === undefined || wave.ackMs !== undefined) throw new Error("an ack came that nobody waits for");
  wave.ackMs = performance.now() - sentAt;
  if (++complete === waves.length) done.resolve();
}

function describe(wave: Wave | undefined): string {
  return `the wave from topic ${wave?.firstTopic}: wanted ${wave?.expected} messages, got ${wave?.received}`;
}
