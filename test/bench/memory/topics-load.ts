/** Adds many topics to one stream, by one Mutate after the other, and says what the node's memory is before and with them. */

import { parseArgs } from "node:util";
import { addRequest, readResponse } from "../catchup/frames";
import { groupIdOf } from "../catchup/shape";
import { pongRequest } from "../support/protobuf";
import { RawConnection } from "../support/raw-h2";
import { Progress } from "../support/streams";
import { settledRssBytes } from "./costs";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    settleMs: { type: "string", default: "1000" },
    topics: { type: "string", default: "100000" },
  },
});
const pid = Number(values.pid);
const topics = Number(values.topics);
const settleMs = Number(values.settleMs);
/** As many adds as a Mutate may have. */
const ADDS = 100_000;
/** Topics of them that are there before, so that what the node needs only once is not counted. */
const WARM_UP_TOPICS = 1_000;

const progress = new Progress();
let complete = 0;
let mutates = 0;
const connection = await RawConnection.open(values.address);
const stream = connection.open("/xmtp.mls.api.v1.MlsApi/Subscribe", {
  onMessage: (bytes) => {
    const response = readResponse(bytes);
    if (response.kind === "ping") stream.send(pongRequest(response.nonce));
    if (response.kind === "complete") complete++;
    progress.made();
  },
  onEnd: () => {
    throw new Error("the stream ended in the middle");
  },
});

await add(0, WARM_UP_TOPICS);
const before = await settledRssBytes(pid, settleMs);
for (let first = WARM_UP_TOPICS; first < topics; first += ADDS) await add(first, Math.min(ADDS, topics - first));
const after = await settledRssBytes(pid, settleMs);
console.log(JSON.stringify({ bytes: after - before, count: topics - WARM_UP_TOPICS }));
process.exit(0);

async function add(first: number, count: number): Promise<void> {
  const adds = Array.from({ length: count }, (_, nth) => ({ groupId: groupIdOf(first + nth), cursor: 0 }));
  stream.send(addRequest(++mutates, adds));
  await progress.until(() => complete === mutates, "the ack of a Mutate");
}
