/** What gRPC says around its messages: headers, trailers, deadlines. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { OK, type Status } from "../errors";

/** Codecs of gRPC whose messages are protobuf. */
const GRPC_PROTOBUF = /^application\/grpc(\+proto)?\s*(;|$)/i;
/** gRPC of any codec; gRPC-Web is another protocol. */
const GRPC = /^application\/grpc(\+[a-z0-9.+-]+)?\s*(;|$)/i;

export function isGrpc(contentType: string): boolean {
  return GRPC.test(contentType);
}

export function isGrpcProtobuf(contentType: string): boolean {
  return GRPC_PROTOBUF.test(contentType);
}

/** The headers with which every response begins. */
export const GRPC_HEADERS: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/grpc+proto",
  "grpc-accept-encoding": "identity",
};

/** The trailers with which a response ends. */
export function grpcTrailers(status: Status): OutgoingHttpHeaders {
  const code = { "grpc-status": `${status.code}` };
  return status.code === OK ? code : { ...code, "grpc-message": percentEncode(status.message) };
}

/** A response that is nothing but its end, in a single HEADERS frame: what native clients fall back on. */
export function grpcTrailersOnly(status: Status): OutgoingHttpHeaders {
  return { ...GRPC_HEADERS, ...grpcTrailers(status) };
}

/**
 * How long the client gives its call, in milliseconds: `grpc-timeout`, up to eight digits and a unit.
 * `undefined`: for ever, or so the header says that cannot be read.
 */
export function grpcTimeoutMs(headers: IncomingHttpHeaders): number | undefined {
  const found = /^(\d{1,8})([HMSmun])$/.exec(`${headers["grpc-timeout"] ?? ""}`);
  const unit = TIMEOUT_UNITS_MS.get(found?.[2] ?? "");
  return found === null || unit === undefined ? undefined : Number(found[1]) * unit;
}

const TIMEOUT_UNITS_MS = new Map([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1_000],
  ["m", 1],
  ["u", 1e-3],
  ["n", 1e-6],
]);

/** Printable ASCII but the percent sign stands for itself, every other byte of UTF-8 is escaped. */
export function percentEncode(text: string): string {
  return text.replace(/[^ -$&-~]+/gu, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}
