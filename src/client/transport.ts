import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { ClientRequest, ServerFrame } from "../core/connection/events";
import { MlsApi } from "../wire/gen/mls/api/v1/mls_pb";
import { fromSubscribeResponse, toSubscribeRequest } from "./frames";
import type { DeliveredMessage } from "./messages";
import { olderCalls } from "./older-calls";
import { OlderStreams } from "./older-streams";

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
 *
 * A node that serves no Subscribe is asked by the older calls at the next opening, and for Subscribe again at the one after
 * that: it may have learnt it.
 * @param address base URL of the node, as http://127.0.0.1:5556
 */
export function grpcTransport(address: string, trust: Trust = {}): SubscribeTransport {
  let older = false;
  return {
    async *open(requests, signal) {
      const playsOlder = older;
      older = false;
      const sessionManager = sessionsWith(address, trust);
      const client = createClient(MlsApi, createGrpcTransport({ baseUrl: address, sessionManager }));
      const hangUp = () => sessionManager.abort();
      signal.addEventListener("abort", hangUp, { once: true });
      try {
        if (playsOlder) yield* new OlderStreams(olderCalls(client), signal).open(requests);
        else yield* subscribe(client, requests, signal);
      } catch (error) {
        older = !playsOlder && isUnserved(error);
        throw older
          ? new ConnectError("the node serves no Subscribe: trying the older streams", Code.Unavailable)
          : error;
      } finally {
        signal.removeEventListener("abort", hangUp);
        hangUp();
      }
    },
  };
}

async function* subscribe(client: Client<typeof MlsApi>, requests: AsyncIterable<ClientRequest>, signal: AbortSignal) {
  for await (const response of client.subscribe(encoded(requests), { signal })) {
    const frame = fromSubscribeResponse(response);
    if (frame !== undefined) yield frame;
  }
}

function isUnserved(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unimplemented;
}

async function* encoded(requests: AsyncIterable<ClientRequest>) {
  for await (const request of requests) {
    const message = toSubscribeRequest(request);
    if (message !== undefined) yield message;
  }
}
