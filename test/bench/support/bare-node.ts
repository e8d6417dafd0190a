/**
 * The physical reference: a bare HTTP/2 server on the same runtime that writes the same bytes to the same
 * streams in the same batches, and does nothing else. No store, no session, no decision: a stream has one
 * topic, that of its first request, and what is published to it is written to it at once.
 */

import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { field, readField, uint } from "./protobuf";

const streamsOf = new Map<string, Set<ServerHttp2Stream>>();
const headers = { ":status": 200, "content-type": "application/grpc" };
/** A gRPC message without a byte, and the CatchupComplete of Mutate 1. */
const EMPTY = envelope(Buffer.alloc(0));
const COMPLETE = envelope(field(1, field(6, uint(1, 1))));

const server = createServer({ settings: { initialWindowSize: 1 << 20, maxConcurrentStreams: 10_000 } });
server.on("stream", (stream: ServerHttp2Stream, requestHeaders: IncomingHttpHeaders) => {
  stream.on("error", () => stream.close());
  stream.respond(headers, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  if (`${requestHeaders[":path"]}`.endsWith("/Subscribe")) return subscribe(stream);
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    deliver(Buffer.concat(chunks).subarray(5));
    stream.end(EMPTY);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  console.error(JSON.stringify({ event: "serving", grpc: `127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => process.exit(0));

function subscribe(stream: ServerHttp2Stream): void {
  stream.once("data", (request: Buffer) => {
    const topic = topicOf(request.subarray(5));
    const streams = streamsOf.get(topic) ?? new Set();
    streamsOf.set(topic, streams.add(stream));
    stream.on("close", () => streams.delete(stream));
    stream.write(COMPLETE);
  });
}

/** The identifier of the first add of a SubscribeRequest: request, v1, mutate, adds, topic. */
function topicOf(request: Buffer): string {
  let bounds = { start: 0, end: request.length };
  for (let depth = 0; depth < 4; depth++) bounds = readField(request, bounds.start);
  return request.toString("latin1", bounds.start + 1, bounds.end);
}

/** Writes what was published to the streams of its topic, in one write each: the same bytes that a node would send. */
function deliver(request: Buffer): void {
  const entriesOf = new Map<string, Buffer[]>();
  for (let at = 0; at < request.length; ) {
    const message = readField(request, at);
    const input = readField(request, message.start);
    const data = readField(request, input.start);
    // An MLSMessage: version, wire format, then the group id with its length.
    const groupId = request.toString("latin1", data.start + 5, data.start + 5 + (request[data.start + 4] ?? 0));
    const v1 = Buffer.concat([
      uint(1, 1_000_000),
      uint(2, 1n << 60n),
      field(3, Buffer.from(groupId, "latin1")),
      field(4, request.subarray(data.start, data.end)),
    ]);
    const entries = entriesOf.get(groupId) ?? [];
    entriesOf.set(groupId, entries);
    entries.push(field(1, field(1, v1)));
    at = message.end;
  }
  for (const [topic, entries] of entriesOf) {
    const frame = envelope(field(1, field(1, Buffer.concat(entries))));
    for (const stream of streamsOf.get(topic) ?? []) stream.write(frame);
  }
}

function envelope(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
