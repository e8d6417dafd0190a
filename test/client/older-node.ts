import { once } from "node:events";
import http2 from "node:http2";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import { MlsApi } from "../../src/wire/gen/mls/api/v1/mls_pb";

export interface OlderNode extends AsyncDisposable {
  /** Base URL of its gRPC port. */
  readonly address: string;
  /** How often each call was made. */
  readonly calls: { queries: number; streams: number };
  /** Ends every stream that is open, without a word. */
  hangUp(): void;
}

/** A node that serves what there was before Subscribe: everything else it has from this one. */
export async function startOlderNode(address: string): Promise<OlderNode> {
  const behind = createClient(MlsApi, createGrpcTransport({ baseUrl: address }));
  const calls = { queries: 0, streams: 0 };
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(MlsApi, {
          queryGroupMessages: (request, { signal }) => {
            calls.queries++;
            return behind.queryGroupMessages(request, { signal });
          },
          queryWelcomeMessages: (request, { signal }) => {
            calls.queries++;
            return behind.queryWelcomeMessages(request, { signal });
          },
          subscribeGroupMessages: (request, { signal }) => {
            calls.streams++;
            return behind.subscribeGroupMessages(request, { signal });
          },
          subscribeWelcomeMessages: (request, { signal }) => {
            calls.streams++;
            return behind.subscribeWelcomeMessages(request, { signal });
          },
        }),
    }),
  );
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("an older node listens on no port");
  const hangUp = () => {
    for (const session of sessions) session.destroy();
  };
  return {
    address: `http://127.0.0.1:${bound.port}`,
    calls,
    hangUp,
    [Symbol.asyncDispose]: async () => {
      hangUp();
      server.close();
      await once(server, "close");
    },
  };
}
