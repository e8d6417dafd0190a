import type { createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandlerFn, UniversalServerResponse } from "@connectrpc/connect/protocol";

/** One RPC as Connect serves it, whatever the server. */
export type UniversalHandler = ReturnType<typeof createConnectRouter>["handlers"][number];

const STREAM_TYPE = /^application\/(grpc|grpc-web|connect)(?:\+(proto|json))?\s*(?:;|$)/i;

/** By these a client names the compression it would take. */
const ACCEPTED_COMPRESSION = ["grpc-accept-encoding", "connect-accept-encoding"];

/**
 * A stream's handler that answers with its headers at once.
 *
 * Connect's own waits for the first message, and clients wait for headers: of a silent stream they would never
 * learn that it is open. All that Connect would say in the headers is known beforehand, as long as nothing is
 * compressed, and how the stream ends is not told in them. Other RPCs are answered as they are.
 */
export function headersFirst(handler: UniversalHandler): UniversalHandlerFn {
  const { methodKind } = handler.method;
  if (methodKind === "unary" || methodKind === "client_streaming") return handler;
  return async (request) => {
    const type = streamType(request.header.get("content-type") ?? "");
    if (type === undefined || request.method !== "POST") return handler(request);
    const header = new Headers(request.header);
    for (const name of ACCEPTED_COMPRESSION) header.delete(name);
    const trailer = new Headers();
    return {
      status: 200,
      header: new Headers({ "content-type": type }),
      body: bodyOf(() => handler({ ...request, header }), trailer),
      trailer,
    };
  };
}

/** The content type of the response, `undefined` if Connect would refuse the request's. */
function streamType(contentType: string): string | undefined {
  const [, protocol, codec = "proto"] = STREAM_TYPE.exec(contentType) ?? [];
  if (protocol === undefined) return undefined;
  return `application/${protocol}+${codec}`.toLowerCase();
}

/** What the handler's response has for a body. Its trailers are known when it has ended. */
async function* bodyOf(answer: () => Promise<UniversalServerResponse>, trailer: Headers): AsyncGenerator<Uint8Array> {
  const response = await answer();
  if (response.body !== undefined) yield* response.body;
  response.trailer?.forEach((value, name) => {
    trailer.append(name, value);
  });
}
