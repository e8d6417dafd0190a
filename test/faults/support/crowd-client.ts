/**
 * Many streams on many connections, as a process of its own: `bun crowd-client.ts --port=N --connections=N
 * --streams=N --topics=HEX,…`. Every stream wants one of the topics, in turn. Says `open` when the node has read
 * all of it; a line on its input makes it reset all connections at once, and say `reset`.
 */

import { parseArgs } from "node:util";
import { GROUP, topicOf } from "../../../src/core/topic";
import { envelopeOf, mutateRequest, SUBSCRIBE_PATH } from "../../support/h2-grpc";
import { RawH2Client } from "../../support/h2-raw";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    connections: { type: "string" },
    /** Of each connection. */
    streams: { type: "string" },
    /** Group ids. */
    topics: { type: "string", default: "" },
  },
});
const topics = values.topics.split(",").map((hex) => topicOf(GROUP, Buffer.from(hex, "hex")));
const clients: RawH2Client[] = [];
for (let c = 0; c < Number(values.connections); c++) {
  const client = await RawH2Client.open({ port: Number(values.port) });
  clients.push(client);
  for (let s = 0; s < Number(values.streams); s++) {
    const topic = topics[(c + s) % topics.length] ?? "";
    client.request(1 + 2 * s, SUBSCRIBE_PATH);
    client.data(1 + 2 * s, envelopeOf(mutateRequest(1n, { adds: [{ topic }] })));
  }
  await client.readByServer();
  // What comes is of no interest, and must not pile up here.
  client.socket.removeAllListeners("data").resume();
}
process.stdout.write("open\n");
process.stdin.once("data", () => {
  for (const { socket } of clients) socket.resetAndDestroy();
  process.stdout.write("reset\n", () => process.exit());
});
