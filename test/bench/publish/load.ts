/** Callers that publish one message a call through the RPC, spread over the nodes that are given. */

import { parseArgs } from "node:util";
import { runCallers } from "../support/callers";
import { meterTargets } from "../support/meter";
import { mlsMessage, Numbered, sendRequest } from "../support/protobuf";
import { RawConnection } from "../support/raw-h2";

const { values } = parseArgs({
  options: {
    /** Several joined by commas. */
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    postmaster: { type: "string", default: "" },
    callers: { type: "string", default: "64" },
    perConnection: { type: "string", default: "16" },
    bytes: { type: "string", default: "1024" },
    warmupCalls: { type: "string", default: "20000" },
    seconds: { type: "string", default: "3" },
  },
});
const addresses = values.address.split(",");
const callers = Number(values.callers);

const connections = await Promise.all(
  Array.from({ length: Math.ceil(callers / Number(values.perConnection)) }, (_, i) =>
    RawConnection.open(addresses[i % addresses.length] ?? ""),
  ),
);
const requests = Array.from({ length: callers }, () => {
  const group = crypto.getRandomValues(new Uint8Array(16));
  return new Numbered((head) => sendRequest([mlsMessage(group, head, Number(values.bytes))]));
});

const calls = await runCallers(
  {
    callers,
    warmupCalls: Number(values.warmupCalls),
    measureMs: Number(values.seconds) * 1_000,
    meter: meterTargets(values),
  },
  async (caller) => {
    const request = requests[caller];
    if (request === undefined) return;
    const connection = connections[caller % connections.length];
    await connection?.call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", request.next());
  },
);
console.log(JSON.stringify(calls));
process.exit(0);
