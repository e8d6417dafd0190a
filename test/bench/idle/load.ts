/** Holds idle streams of one topic each, answers their Pings, and says what that takes of the server's CPU. */

import { parseArgs } from "node:util";
import { readPids, startMeter } from "../support/meter";
import { mutateRequest, pongRequest, readResponse } from "../support/protobuf";
import { RawConnection } from "../support/raw-h2";
import { Progress } from "../support/streams";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    streams: { type: "string", default: "1000" },
    connections: { type: "string", default: "100" },
    keepaliveMs: { type: "string", default: "30000" },
    seconds: { type: "string", default: "60" },
  },
});
const [streams, connectionCount] = [Number(values.streams), Number(values.connections)];
const [keepaliveMs, measureMs] = [Number(values.keepaliveMs), Number(values.seconds) * 1_000];
/** Connections opened at once. */
const AT_ONCE = 50;

const progress = new Progress();
let complete = 0;
/** Of each stream. */
const pings = new Uint32Array(streams);
let opened = 0;
for (let first = 0; first < connectionCount && streams > 0; first += AT_ONCE) {
  const fresh = Math.min(AT_ONCE, connectionCount - first);
  await Promise.all(Array.from({ length: fresh }, openConnection));
  await progress.until(() => complete === opened, "the waves to complete");
}
await Bun.sleep(Math.min(1_000, measureMs)); // what opening them has left to do
pings.fill(0);
const endMeter = startMeter(readPids(values.pid));
await Bun.sleep(measureMs);
const metered = endMeter();

const fewest = Math.floor(measureMs / keepaliveMs) - 1;
const lacking = pings.filter((count) => count < fewest).length;
if (lacking > 0) throw new Error(`${lacking} of ${streams} streams got less than ${fewest} Pings`);
console.log(JSON.stringify({ ...metered, pings: pings.reduce((sum, count) => sum + count, 0) }));
process.exit(0);

async function openConnection(): Promise<void> {
  const connection = await RawConnection.open(values.address);
  for (let nth = 0; nth < streams / connectionCount; nth++) openStream(connection, opened++);
}

function openStream(connection: RawConnection, index: number): void {
  const stream = connection.open("/xmtp.mls.api.v1.MlsApi/Subscribe", {
    onMessage: (message) => {
      const seen = readResponse(message);
      if (seen.kind === "complete") complete++;
      if (seen.kind === "ping") {
        pings[index] = (pings[index] ?? 0) + 1;
        stream.send(pongRequest(seen.nonce));
      }
      progress.made();
    },
    onEnd: () => {
      throw new Error("a stream ended in the middle");
    },
  });
  stream.send(mutateRequest(1n, [crypto.getRandomValues(new Uint8Array(16))], 0n));
}
