/**
 * The physical reference: a bare HTTP/2 server on the same runtime that writes the same bytes to the same
 * streams in the same batches, and does nothing else. No store, no session, no decision.
 */

import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { field, readField, uint } from "../support/protobuf";

const open = new Set<ServerHttp2Stream>();
const headers = { ":status": 200, "content-type": "application/grpc" };

const server = createServer({ settings: { initialWindowSize: 1 << 20, maxConcurrentStreams: 10_000 } });
server.on("stream", (stream: ServerHttp2Stream, requestHeaders: IncomingHttpHeaders) => {
  stream.on("error", () => open.delete(stream));
  if (`${requestHeaders[":path"]}`.endsWith("/Subscribe")) {
    stream.respond(headers);
    stream.write(envelope(field(1, field(6, uint(1, 1)))));
    open.add(stream);
    stream.on("close", () => open.delete(stream));
    stream.resume();
    return;
  }
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    deliver(Buffer.concat(chunks).subarray(5));
    stream.respond(headers, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(envelope(Buffer.alloc(0)));
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  console.error(JSON.stringify({ event: "serving", grpc: `127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => process.exit(0));

/** Writes what was published to every stream, in one write each: the same bytes that a node would send. */
function deliver(request: Buffer): void {
  const entries: Buffer[] = [];
  for (let at = 0; at < request.length; ) {
    const message = readField(request, at);
    entries.push(
      field(
        1,
        Buffer.concat([
          field(
            1,
            Buffer.concat([uint(1, 1_000_000), uint(2, 1n << 60n), request.subarray(message.start, message.end)]),
          ),
        ]),
      ),
    );
    at = message.end;
  }
  const frame = envelope(field(1, field(1, Buffer.concat(entries))));
  for (const stream of open) stream.write(frame);
}

function envelope(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
