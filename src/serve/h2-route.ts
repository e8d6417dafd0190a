import type { IncomingHttpHeaders } from "node:http2";
import { isConnectProtobuf } from "./connect-stream";
import { isGrpc, isGrpcProtobuf } from "./grpc";
import { connectProtocol, grpcProtocol, type StreamProtocol } from "./h2-protocol";
import type { StreamRpc } from "./h2-rpc";

/** A streaming RPC with protobuf messages: served without anything in between. */
export interface StreamRoute {
  readonly kind: "stream";
  readonly rpc: StreamRpc;
  readonly protocol: StreamProtocol;
}

/** Where a request goes. */
export type Route =
  | StreamRoute
  /** Everything else that is served: Connect's adapter knows its codecs and encodings. */
  | { readonly kind: "ordinary" }
  /** A gRPC call that cannot be served; it must leave as a Trailers-Only response. */
  | { readonly kind: "unimplemented"; readonly message: string }
  /** No RPC at all. */
  | { readonly kind: "refused"; readonly status: number; readonly words: string };

export interface RouteTable {
  readonly rpcs: ReadonlyMap<string, StreamRpc>;
  /** Paths of all methods that are implemented, the streaming ones included. */
  readonly served: ReadonlySet<string>;
}

/** Content types that Connect's adapter knows how to answer. */
const CONNECT_TYPES = /^application\/(connect\+(proto|json)|proto|json|grpc-web(-text)?(\+[a-z0-9.+-]+)?)\s*(;|$)/i;
/** Encodings that Connect's adapter knows how to undo. */
const ENCODINGS: ReadonlySet<string> = new Set(["identity", "gzip", "br"]);

/** Decides where a request goes, by its headers alone. */
export function routeOf(headers: IncomingHttpHeaders, table: RouteTable): Route {
  const path = pathOf(headers);
  const contentType = `${headers["content-type"] ?? ""}`;
  if (isGrpc(contentType)) return grpcRoute(headers, path, contentType, table);
  if (headers[":method"] === "GET" && table.served.has(path)) return { kind: "ordinary" };
  if (!table.served.has(path)) {
    return { kind: "refused", status: 404, words: "no such method: this port serves gRPC and Connect over HTTP/2" };
  }
  if (headers[":method"] !== "POST") return { kind: "refused", status: 405, words: "RPCs are called by POST" };
  if (!CONNECT_TYPES.test(contentType)) {
    const words = "wanted content-type application/grpc, application/grpc-web, application/proto, application/json";
    return { kind: "refused", status: 415, words: `${words} or application/connect+proto` };
  }
  const rpc = table.rpcs.get(path);
  const plain = encodingOf(headers["connect-content-encoding"]) === "identity";
  if (rpc === undefined || !plain || !isConnectProtobuf(contentType)) return { kind: "ordinary" };
  return { kind: "stream", rpc, protocol: connectProtocol };
}

function grpcRoute(headers: IncomingHttpHeaders, path: string, contentType: string, table: RouteTable): Route {
  if (headers[":method"] !== "POST") return { kind: "refused", status: 405, words: "RPCs are called by POST" };
  if (!table.served.has(path)) {
    return { kind: "unimplemented", message: "this node does not serve the method that was called" };
  }
  const encoding = encodingOf(headers["grpc-encoding"]);
  if (!ENCODINGS.has(encoding)) {
    return { kind: "unimplemented", message: "wanted grpc-encoding identity, gzip or br; found none of them" };
  }
  const rpc = table.rpcs.get(path);
  if (rpc === undefined || encoding !== "identity" || !isGrpcProtobuf(contentType)) return { kind: "ordinary" };
  return { kind: "stream", rpc, protocol: grpcProtocol };
}

/** The path without a query. */
function pathOf(headers: IncomingHttpHeaders): string {
  const path = headers[":path"] ?? "";
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

function encodingOf(header: string | string[] | undefined): string {
  return header === undefined || header === "" ? "identity" : `${header}`;
}
