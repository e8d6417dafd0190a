/** What Connect says around the messages of a stream: headers, and the last envelope in place of trailers. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { codeName, OK, type Status } from "../errors";
import { FLAG_END_STREAM, inEnvelope } from "./envelope";

const CONNECT_PROTOBUF = /^application\/connect\+proto\s*(;|$)/i;

export function isConnectProtobuf(contentType: string): boolean {
  return CONNECT_PROTOBUF.test(contentType);
}

/** The headers with which every response begins. */
export const CONNECT_HEADERS: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/connect+proto",
  "connect-accept-encoding": "identity",
};

/** The last envelope of a stream. */
export function connectEnd(status: Status): Buffer {
  const end = status.code === OK ? {} : { error: { code: codeName(status.code), message: status.message } };
  return inEnvelope(FLAG_END_STREAM, Buffer.from(JSON.stringify(end)));
}

/** How long the client gives its call, in milliseconds; `undefined`: for ever. */
export function connectTimeoutMs(headers: IncomingHttpHeaders): number | undefined {
  const text = `${headers["connect-timeout-ms"] ?? ""}`;
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
