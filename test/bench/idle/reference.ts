/**
 * The physical reference: a bare HTTP/2 server on the same runtime that writes the same Pings to the same streams at the
 * same interval, all by one timer, and throws away what comes back.
 */

import { createServer, type ServerHttp2Stream } from "node:http2";
import { field, uint } from "../support/protobuf";
import { envelope } from "../support/raw-h2-frames";

const keepaliveMs = Number(process.env["KEEPALIVE_MS"] ?? 30_000);
const COMPLETE = envelope(field(1, field(6, uint(1, 1))));
const PING = envelope(field(1, field(3, uint(1, 1))));
/** The streams are pinged in turn, a share of them every so often. */
const TICK_MS = 50;

const open: ServerHttp2Stream[] = [];
const server = createServer({ settings: { initialWindowSize: 1 << 20, maxConcurrentStreams: 10_000 } });
server.on("stream", (stream: ServerHttp2Stream) => {
  stream.on("error", () => stream.close());
  stream.respond({ ":status": 200, "content-type": "application/grpc" });
  stream.write(COMPLETE);
  stream.resume();
  open.push(stream);
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  console.error(JSON.stringify({ event: "serving", grpc: `127.0.0.1:${port}` }));
});
process.on("SIGTERM", () => process.exit(0));

let pinged = 0;
const started = performance.now();
setInterval(() => {
  const turns = (performance.now() - started) / keepaliveMs;
  for (const due = Math.floor(turns * open.length); pinged < due; pinged++) open[pinged % open.length]?.write(PING);
}, TICK_MS);
// Streams that come later change how many are due: begin anew.
server.on("stream", () => {
  pinged = Math.floor(((performance.now() - started) / keepaliveMs) * open.length);
});
