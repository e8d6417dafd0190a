import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { ClientRequest, ServerFrame } from "../core/connection/events";
import { MlsApi } from "../wire/gen/mls/api/v1/mls_pb";
import { fromSubscribeResponse, toSubscribeRequest } from "./frames";
import type { DeliveredMessage } from "./messages";

/** Opens Subscribe streams. */
export interface SubscribeTransport {
  /**
   * Opens one stream and says on it what `requests` yields; their end is the half-close.
   * The frames end when the node ends the stream with OK; any other end is thrown, to be read by `lossOf`.
   * Aborting the signal lets go of everything at once.
   */
  open(requests: AsyncIterable<ClientRequest>, signal: AbortSignal): AsyncIterable<ServerFrame<DeliveredMessage>>;
}

/** Whom to believe, beside the system's authorities, that a node is the one it says it is. */
export interface Trust {
  /** Certificates of authorities, in PEM. */
  readonly ca?: string | undefined;
}

/** HTTP/2 connections to a node. */
export function sessionsWith(address: string, { ca }: Trust): Http2SessionManager {
  return new Http2SessionManager(address, undefined, ca === undefined ? undefined : { ca });
}

/**
 * Streams over gRPC, each on an HTTP/2 connection of its own: one that has died without a word would
 * otherwise swallow the next stream as well.
 * @param address base URL of the node, as http://127.0.0.1:5556
 */
export function grpcTransport(address: string, trust: Trust = {}): SubscribeTransport {
  return { open: (requests, signal) => openStream({ address, ...trust }, requests, signal) };
}

async function* openStream(
  { address, ca }: Trust & { readonly address: string },
  requests: AsyncIterable<ClientRequest>,
  signal: AbortSignal,
): AsyncGenerator<ServerFrame<DeliveredMessage>> {
  const sessionManager = sessionsWith(address, { ca });
  const client = createClient(MlsApi, createGrpcTransport({ baseUrl: address, sessionManager }));
  const hangUp = () => sessionManager.abort();
  signal.addEventListener("abort", hangUp, { once: true });
  try {
    for await (const response of client.subscribe(encoded(requests), { signal })) {
      const frame = fromSubscribeResponse(response);
      if (frame !== undefined) yield frame;
    }
  } finally {
    signal.removeEventListener("abort", hangUp);
    hangUp();
  }
}

async function* encoded(requests: AsyncIterable<ClientRequest>) {
  for await (const request of requests) {
    const message = toSubscribeRequest(request);
    if (message !== undefined) yield message;
  }
}
