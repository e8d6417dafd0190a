/**
 * Callers that do as an SDK does: publish a message to a group, then query the group above the last id they know,
 * which must bring that very message. With --sends=0 they only query: each time the newest message of a group.
 */

import { parseArgs } from "node:util";
import { runCallers } from "../support/callers";
import { meterTargets } from "../support/meter";
import { field, mlsMessage, Numbered, readField, readVarint, sendRequest, uint } from "../support/protobuf";
import { quantile } from "../support/question";
import { RawConnection } from "../support/raw-h2";
import type { QueryLoad } from "./measure";

const API = "/xmtp.mls.api.v1.MlsApi";
const ASCENDING = 1;

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:5556" },
    pid: { type: "string", default: "" },
    postmaster: { type: "string", default: "" },
    callers: { type: "string", default: "64" },
    perConnection: { type: "string", default: "16" },
    bytes: { type: "string", default: "256" },
    sends: { type: "string", default: "1" },
    warmupCalls: { type: "string", default: "20000" },
    seconds: { type: "string", default: "3" },
  },
});
const callers = Number(values.callers);
const connections = await Promise.all(
  Array.from({ length: Math.ceil(callers / Number(values.perConnection)) }, () => RawConnection.open(values.address)),
);

/** A caller, its group, and what it has seen of it. */
class Sdk {
  readonly #group = crypto.getRandomValues(new Uint8Array(16));
  readonly #connection: RawConnection;
  readonly #requests = new Numbered((head) => sendRequest([mlsMessage(this.#group, head, Number(values.bytes))]));
  #cursor = 0n;

  constructor(connection: RawConnection) {
    this.#connection = connection;
  }

  async send(): Promise<void> {
    await this.#connection.call(`${API}/SendGroupMessages`, this.#requests.next());
  }

  /** Asks for what came after what is known, which must be one message. Moves on to it if told to. */
  async query(moveOn: boolean): Promise<void> {
    const paging = Buffer.concat([uint(1, ASCENDING), uint(2, 100), uint(3, this.#cursor)]);
    const request = Buffer.concat([field(1, this.#group), field(2, paging)]);
    const ids = idsOf(await this.#connection.call(`${API}/QueryGroupMessages`, request));
    const [id] = ids;
    if (id === undefined || ids.length !== 1) throw new Error(`a query found ${ids.length} messages instead of 1`);
    if (moveOn) this.#cursor = id;
  }
}

const sdks = Array.from({ length: callers }, (_, i) => {
  const connection = connections[i % connections.length];
  if (connection === undefined) throw new Error("no connection");
  return new Sdk(connection);
});
const sends = values.sends !== "0";
if (!sends) await Promise.all(sdks.map((sdk) => sdk.send()));

const queriesMs: number[] = [];
const calls = await runCallers(
  {
    callers,
    warmupCalls: Number(values.warmupCalls),
    measureMs: Number(values.seconds) * 1_000,
    meter: meterTargets(values),
  },
  async (caller) => {
    if (sends) await sdks[caller]?.send();
    const from = performance.now();
    await sdks[caller]?.query(sends);
    queriesMs.push(performance.now() - from);
  },
);
const load: QueryLoad = { ...calls, queryP50: quantile(queriesMs, 0.5), queryP99: quantile(queriesMs, 0.99) };
console.log(JSON.stringify(load));
process.exit(0);

/** The ids of a QueryGroupMessagesResponse: messages, each with one arm that begins with its id. */
function idsOf(response: Buffer): readonly bigint[] {
  const ids: bigint[] = [];
  for (let at = 0; at < response.length; ) {
    const part = readField(response, at);
    at = part.end;
    if (part.number !== 1) continue;
    const v1 = readField(response, part.start);
    ids.push(readVarint(response, v1.start + 1).value);
  }
  return ids;
}
