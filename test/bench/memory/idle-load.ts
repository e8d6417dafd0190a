/**
 * Opens idle streams of one topic each and says what the server's memory is before and with them. Some of them are
 * there before already, so that what the server needs only once is not counted.
 */

import { parseArgs } from "node:util";
import { RawConnection } from "../support/raw-h2";
import { Progress, subscribe } from "../support/streams";
import { settledRssBytes } from "./costs";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    settleMs: { type: "string", default: "1000" },
    streams: { type: "string", default: "1000" },
    connections: { type: "string", default: "100" },
  },
});
const [pid, streams, perConnection] = [
  Number(values.pid),
  Number(values.streams),
  Number(values.streams) / Number(values.connections),
];
const settleMs = Number(values.settleMs);
const WARM_UP_SHARE = 0.1;
/** Connections opened at once. */
const AT_ONCE = 50;

const progress = new Progress();
let opened = 0;
let complete = 0;

const warmUp = Math.ceil((streams * WARM_UP_SHARE) / perConnection) * perConnection;
await openUpTo(warmUp);
const before = await settledRssBytes(pid, settleMs);
await openUpTo(warmUp + streams);
const after = await settledRssBytes(pid, settleMs);
console.log(JSON.stringify({ bytes: after - before, count: streams }));
process.exit(0);

async function openUpTo(count: number): Promise<void> {
  while (opened < count) {
    const fresh = Math.min(AT_ONCE, (count - opened) / perConnection);
    await Promise.all(Array.from({ length: fresh }, openConnection));
    await progress.until(() => complete === opened, "the waves to complete");
  }
}

async function openConnection(): Promise<void> {
  const connection = await RawConnection.open(values.address);
  for (let nth = 0; nth < perConnection; nth++) {
    opened++;
    subscribe(connection, {
      topics: [crypto.getRandomValues(new Uint8Array(16))],
      onComplete: () => {
        complete++;
        progress.made();
      },
    });
  }
}
