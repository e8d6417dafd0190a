/**
 * The streaming RPCs of MlsApi as Connect runs them: for codecs and protocols that the raw way of the gRPC
 * port does not speak (JSON, gRPC-Web, Connect on HTTP/1.1). The same session, pulled by a generator.
 */

import type { HandlerContext } from "@connectrpc/connect";
import { groupMessageOf, welcomeMessageOf } from "../../wire/entry";
import type {
  GroupMessage,
  SubscribeGroupMessagesRequest,
  SubscribeRequest,
  SubscribeResponse,
  SubscribeWelcomeMessagesRequest,
  WelcomeMessage,
} from "../../wire/gen/mls/api/v1/mls_pb";
import { fromSubscribeGroupMessagesRequest, fromSubscribeWelcomeMessagesRequest } from "../../wire/legacy";
import { type DecodedRequest, fromSubscribeRequest, toSubscribeResponse } from "../../wire/subscribe";
import { errorOfStatus, statusOfError } from "../errors";
import { statusOfEnd } from "../stream/end";
import type { StreamHost } from "../stream/host";
import { StreamRunner } from "../stream/runner";

/** What a stream wants to know of its call. */
type Call = Pick<HandlerContext, "signal" | "protocolName">;

/** XIP-83's stream. Throws the ConnectError with which it ends, if it does not end well. */
export async function* subscribe(
  host: StreamHost,
  requests: AsyncIterable<SubscribeRequest>,
  call: Call,
): AsyncGenerator<SubscribeResponse> {
  const runner = new StreamRunner(host, { rpc: "Subscribe", protocol: call.protocolName, liveness: true });
  // Ends by itself with the request's body, which whoever serves the connection sees to.
  void readRequests(requests, runner);
  for await (const frame of runner.frames(call.signal)) yield toSubscribeResponse(frame);
  throwUnlessWell(runner);
}

/** The older stream of groups. Throws as {@link subscribe}. */
export function subscribeGroupMessages(
  host: StreamHost,
  request: SubscribeGroupMessagesRequest,
  call: Call,
): AsyncGenerator<GroupMessage> {
  const decoded = fromSubscribeGroupMessagesRequest(request);
  return fixedStream(host, call, { rpc: "SubscribeGroupMessages", request: decoded, messageOf: groupMessageOf });
}

/** The older stream of welcomes. Throws as {@link subscribe}. */
export function subscribeWelcomeMessages(
  host: StreamHost,
  request: SubscribeWelcomeMessagesRequest,
  call: Call,
): AsyncGenerator<WelcomeMessage> {
  const decoded = fromSubscribeWelcomeMessagesRequest(request);
  return fixedStream(host, call, { rpc: "SubscribeWelcomeMessages", request: decoded, messageOf: welcomeMessageOf });
}

/** A stream with a single request, which is a Mutate. It lasts until it is cancelled. */
interface FixedStream<T> {
  readonly rpc: string;
  readonly request: DecodedRequest;
  readonly messageOf: (entry: Uint8Array) => T;
}

async function* fixedStream<T>(host: StreamHost, call: Call, stream: FixedStream<T>): AsyncGenerator<T> {
  const { rpc, request, messageOf } = stream;
  const runner = new StreamRunner(host, { rpc, protocol: call.protocolName, liveness: false });
  if (request.kind === "event") runner.push(request.event);
  for await (const frame of runner.frames(call.signal)) {
    if (frame.kind !== "messages") continue;
    for (const { entry } of frame.messages) yield messageOf(entry);
  }
  throwUnlessWell(runner);
}

/** Never rejects: what goes wrong with the requests is how the stream ends. */
async function readRequests(requests: AsyncIterable<SubscribeRequest>, runner: StreamRunner): Promise<void> {
  try {
    for await (const request of requests) {
      if (runner.end !== undefined) return;
      const decoded = fromSubscribeRequest(request);
      if (decoded.kind === "event") runner.push(decoded.event);
      else runner.ignoreRequest();
    }
    runner.push({ kind: "halfClosed" });
  } catch (error) {
    runner.refuse(statusOfError(error));
  }
}

function throwUnlessWell({ end }: StreamRunner): void {
  const error = end === undefined ? undefined : errorOfStatus(statusOfEnd(end));
  if (error !== undefined) throw error;
}
