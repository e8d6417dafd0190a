import type { IncomingHttpHeaders } from "node:http2";
import type { UniversalHandlerFn } from "@connectrpc/connect/protocol";
import { unimplementedMessage } from "../api/services";
import type { UnaryRpc } from "../api/unary-rpc";
import { isConnectProtobuf } from "../framing/connect";
import { isGrpc, isGrpcProtobuf } from "../framing/grpc";
import { connectProtocol, grpcProtocol, type StreamProtocol } from "./stream-protocol";
import type { StreamRpc } from "./stream-rpc";

/** A streaming RPC with protobuf messages, which the port serves itself, without Connect. */
export interface StreamRoute {
  readonly kind: "stream";
  readonly rpc: StreamRpc;
  readonly protocol: StreamProtocol;
}

/** Where a request goes. */
export type Route =
  | StreamRoute
  /** A gRPC call with protobuf messages, nothing compressed, which the port answers itself, too. */
  | { readonly kind: "unary"; readonly rpc: UnaryRpc }
  /** Everything else that is served: Connect's adapter knows its codecs and encodings. */
  | { readonly kind: "ordinary"; readonly method: ServedMethod }
  /** A gRPC call that cannot be served; it must leave as a Trailers-Only response. */
  | { readonly kind: "unimplemented"; readonly message: string }
  /** No RPC at all. */
  | { readonly kind: "refused"; readonly status: number; readonly words: string };

/** A method that is implemented. */
export interface ServedMethod {
  /** Whether its requests or its responses keep coming. */
  readonly streaming: boolean;
  /** Whether its requests keep coming. */
  readonly bidi: boolean;
  readonly handler: UniversalHandlerFn;
  /** How it is served without Connect, if it is a stream. */
  readonly rpc: StreamRpc | undefined;
  /** The same for any other; only gRPC's clients are served so. */
  readonly unary: UnaryRpc | undefined;
}

/** By path, `/package.Service/Method`, all methods that are implemented. */
export type RouteTable = ReadonlyMap<string, ServedMethod>;

/** Content types that Connect's adapter knows how to answer. */
const CONNECT_TYPES = /^application\/(connect\+(proto|json)|proto|json|grpc-web(-text)?(\+[a-z0-9.+-]+)?)\s*(;|$)/i;
/** Encodings that Connect's adapter knows how to undo. */
const ENCODINGS: ReadonlySet<string> = new Set(["identity", "gzip", "br"]);

/** Decides where a request goes, by its headers alone. */
export function routeOf(headers: IncomingHttpHeaders, table: RouteTable): Route {
  const path = pathOf(headers);
  const method = table.get(path);
  const contentType = `${headers["content-type"] ?? ""}`;
  const isPost = headers[":method"] === "POST";
  if (isGrpc(contentType) && isPost) return grpcRoute(headers, path, contentType, method);
  if (method === undefined) {
    return { kind: "refused", status: 404, words: "no such method: this port serves gRPC and Connect over HTTP/2" };
  }
  if (headers[":method"] === "GET" && !method.streaming) return { kind: "ordinary", method };
  if (!isPost) return { kind: "refused", status: 405, words: "RPCs are called by POST" };
  if (!CONNECT_TYPES.test(contentType)) {
    const words = "wanted content-type application/grpc, application/grpc-web, application/proto, application/json";
    return { kind: "refused", status: 415, words: `${words} or application/connect+proto` };
  }
  const isPlain = encodingOf(headers["connect-content-encoding"]) === "identity";
  if (method.rpc === undefined || !isPlain || !isConnectProtobuf(contentType)) return { kind: "ordinary", method };
  return { kind: "stream", rpc: method.rpc, protocol: connectProtocol };
}

function grpcRoute(
  headers: IncomingHttpHeaders,
  path: string,
  contentType: string,
  method: ServedMethod | undefined,
): Route {
  if (method === undefined) return { kind: "unimplemented", message: unimplementedMessage(path) };
  const encoding = encodingOf(headers["grpc-encoding"]);
  if (!ENCODINGS.has(encoding)) {
    return { kind: "unimplemented", message: "wanted grpc-encoding identity, gzip or br; found none of them" };
  }
  if (encoding !== "identity" || !isGrpcProtobuf(contentType)) return { kind: "ordinary", method };
  if (method.unary !== undefined) return { kind: "unary", rpc: method.unary };
  if (method.rpc !== undefined) return { kind: "stream", rpc: method.rpc, protocol: grpcProtocol };
  return { kind: "ordinary", method };
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
