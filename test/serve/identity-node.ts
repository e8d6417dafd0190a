/** A node with both ports on a real database, and clients of its identities, key packages and commit logs. */

import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { ChainReader } from "../../src/mls/association/types";
import { registerServices, unaryRpcs } from "../../src/serve/api/services";
import { type H2Server, startH2 } from "../../src/serve/h2/port";
import type { WebServer } from "../../src/serve/web/port";
import { IdentityApi } from "../../src/wire/gen/identity/api/v1/identity_pb";
import { MlsApi } from "../../src/wire/gen/mls/api/v1/mls_pb";
import type { TestDatabase } from "../support/database";
import { openNode, openWeb, type TestNode } from "./mls-api-node";

export interface IdentityClients {
  readonly identity: Client<typeof IdentityApi>;
  readonly mls: Client<typeof MlsApi>;
}

export interface IdentityNode extends AsyncDisposable {
  readonly node: TestNode;
  readonly grpc: H2Server;
  readonly web: WebServer;
  clients(way: keyof typeof WAYS): IdentityClients;
}

/** The ways by which SDKs and others call. */
export const WAYS = {
  gRPC: ({ grpc }) => createGrpcTransport({ baseUrl: grpc }),
  "gRPC-Web": ({ web }) => createGrpcWebTransport({ baseUrl: web, httpVersion: "1.1" }),
  Connect: ({ web }) => createConnectTransport({ baseUrl: web, httpVersion: "1.1" }),
} as const satisfies Record<string, (urls: { readonly grpc: string; readonly web: string }) => Transport>;

export async function openIdentityNode(
  options: { readonly database?: TestDatabase; readonly chains?: ChainReader } = {},
): Promise<IdentityNode> {
  await using parts = new AsyncDisposableStack();
  const node = parts.use(await openNode(options));
  const grpc = parts.use(
    await startH2({
      host: "127.0.0.1",
      port: 0,
      streams: node.host,
      unary: unaryRpcs(node.deps),
      services: (router) => registerServices(router, node.deps),
    }),
  );
  const web = parts.use(await openWeb(node));
  const held = parts.move();
  const urlOf = ({ host, port }: { readonly host: string; readonly port: number }) => `http://${host}:${port}`;
  return {
    node,
    grpc,
    web,
    clients: (way) => {
      const transport = WAYS[way]({ grpc: urlOf(grpc.address), web: urlOf(web.address) });
      return { identity: createClient(IdentityApi, transport), mls: createClient(MlsApi, transport) };
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
