import type { IncomingHttpHeaders } from "node:http";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";

/** A request as its port has it. */
export interface ArrivedRequest {
  readonly httpVersion: string;
  readonly method: string | undefined;
  /** As in `/package.Service/Method`, perhaps with a query. */
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Uint8Array>;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/** The request as Connect's handlers take it, whichever port it came to. */
export function universalRequest(request: ArrivedRequest): UniversalServerRequest {
  const { httpVersion, method = "", path = "/", headers, body, signal } = request;
  const header = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    // HTTP/2 has some of the request line among its headers.
    if (value === undefined || name.startsWith(":")) continue;
    header.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return { httpVersion, method, url: new URL(path, "http://localhost").href, header, body, signal };
}
