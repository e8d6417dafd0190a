/**
 * One stream that adds many topics from the beginning, by Mutates of 1 000 adds, and waits until all waves are
 * complete: what it took, and what the server's memory grew by while it holds them.
 */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { prefilledGroup } from "../support/groups";
import { meterTargets, startMeter } from "../support/meter";
import { mutateRequest, pongRequest, readResponse } from "../support/protobuf";
import { RawConnection } from "../support/raw-h2";
import { Progress } from "../support/streams";
import type { StreamLoad } from "./stream-load";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    /** Numbers of the topics in a filled database. */
    first: { type: "string", default: "0" },
    topics: { type: "string", default: "1000" },
  },
});
const MUTATE_ADDS = 1_000;
/** Memory is what is left when the work is done and a collection has run. */
const SETTLE_SAMPLES = 8;
const SETTLE_MS = 250;

const topics = Number(values.topics);
const first = Number(values.first);
const requests = Array.from({ length: Math.ceil(topics / MUTATE_ADDS) }, (_, i) => {
  const count = Math.min(MUTATE_ADDS, topics - i * MUTATE_ADDS);
  const groups = Array.from({ length: count }, (_, j) => prefilledGroup(first + i * MUTATE_ADDS + j));
  return mutateRequest(BigInt(i + 1), groups, 0n);
});

const connection = await RawConnection.open(values.address);
const progress = new Progress();
let started = false;
let messages = 0;
let complete = 0;
const stream = connection.open("/xmtp.mls.api.v1.MlsApi/Subscribe", {
  onMessage: (message) => {
    const seen = readResponse(message);
    started = true;
    if (seen.kind === "messages") messages += seen.count;
    if (seen.kind === "complete") complete++;
    if (seen.kind === "ping") stream.send(pongRequest(seen.nonce));
    progress.made();
  },
});
await progress.until(() => started, "the stream's first frame");

const rssBefore = await settledRss();
const stop = startMeter(meterTargets(values));
for (const [index, request] of requests.entries()) {
  // Fewer than the waves that a stream may have in flight.
  await progress.until(() => index - complete < 100, "waves to complete");
  stream.send(request);
}
await progress.until(() => complete === requests.length, "all waves to complete");
const metered = stop();
const load: StreamLoad = { ...metered, messages, rssBytes: (await settledRss()) - rssBefore };
console.log(JSON.stringify(load));
process.exit(0);

/** The least resident memory of the server seen for a while, in bytes; NaN when it is not ours to look at. */
async function settledRss(): Promise<number> {
  if (values.pid === "") return Number.NaN;
  let least = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SETTLE_SAMPLES; sample++) {
    await Bun.sleep(SETTLE_MS);
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${values.pid}/status`, "utf8"))?.[1];
    least = Math.min(least, Number(kilobytes) * 1_024);
  }
  return least;
}
