import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { UnaryRpc } from "../api/unary-rpc";
import { headersFirst } from "../headers-first";
import type { RouteTable } from "./route";
import { STREAM_RPCS } from "./stream-rpcs";

export interface TableOptions {
  /** Registers what is served. */
  readonly services: (router: ConnectRouter) => void;
  /** Of what they register, the RPCs that the port can answer without Connect. */
  readonly unary: readonly UnaryRpc[];
  readonly maxRequestBytes: number;
}

/** What the services registered, each with the way to serve it without Connect, if there is one. */
export function routeTable({ services, unary, maxRequestBytes }: TableOptions): RouteTable {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes: maxRequestBytes,
  });
  services(router);
  const rpcs = new Map(STREAM_RPCS.map((rpc) => [rpc.path, rpc]));
  const unaryRpcs = new Map(unary.map((rpc) => [rpc.path, rpc]));
  return new Map(
    router.handlers.map((handler) => [
      handler.requestPath,
      {
        streaming: handler.method.methodKind !== "unary",
        bidi: handler.method.methodKind === "bidi_streaming",
        handler: headersFirst(handler),
        rpc: rpcs.get(handler.requestPath),
        unary: unaryRpcs.get(handler.requestPath),
      },
    ]),
  );
}
