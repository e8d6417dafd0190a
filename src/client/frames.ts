/** The frames of Subscribe between the generated types and the core's. */

import type { ClientRequest, ServerFrame } from "../core/connection/events";
import { GROUP, type Topic, topicBytes, topicOf, WELCOME } from "../core/topic";
import type { SubscribeResponse, SubscribeResponse_V1_Messages } from "../wire/gen/mls/api/v1/mls_pb";
import { type DeliveredMessage, fromWireGroupMessage, fromWireWelcomeMessage } from "./messages";

/** A frame; `undefined` for one that this client does not know: a newer node may send it. */
export function fromSubscribeResponse({ version }: SubscribeResponse): ServerFrame<DeliveredMessage> | undefined {
  if (version.case !== "v1") return undefined;
  const { response } = version.value;
  switch (response.case) {
    case "started":
      return { kind: "started", keepaliveMs: response.value.keepaliveIntervalMs };
    case "ping":
      return { kind: "ping", nonce: response.value.nonce };
    case "pong":
      return { kind: "pong", nonce: response.value.nonce };
    case "topicsLive":
      return { kind: "topicsLive", topics: response.value.topics.flatMap(toTopics) };
    case "catchupComplete":
      return { kind: "catchupComplete", mutateId: response.value.mutateId };
    case "messages":
      return { kind: "messages", lane: response.value.mutateId, messages: toMessages(response.value) };
    case undefined:
      return undefined;
    default:
      return response satisfies never;
  }
}

/** A request as the generated client takes it; `undefined` for the half-close, which is no message. */
export function toSubscribeRequest(request: ClientRequest) {
  switch (request.kind) {
    case "ping":
      return toV1({ case: "ping", value: { nonce: request.nonce } } as const);
    case "pong":
      return toV1({ case: "pong", value: { nonce: request.nonce } } as const);
    case "mutate": {
      const { id, adds, removes, historyOnly } = request.mutate;
      const value = {
        mutateId: id,
        adds: adds.map(({ topic, cursor }) => ({ topic: topicBytes(topic), idCursor: cursor })),
        removes: removes.map(topicBytes),
        historyOnly,
      };
      return toV1({ case: "mutate", value } as const);
    }
    case "halfClose":
      return undefined;
  }
}

function toV1<R>(request: R) {
  return { version: { case: "v1", value: { request } } } as const;
}

function toMessages({ groupMessages, welcomeMessages }: SubscribeResponse_V1_Messages): readonly DeliveredMessage[] {
  const messages: DeliveredMessage[] = [];
  for (const wire of groupMessages) {
    const message = fromWireGroupMessage(wire);
    if (message !== undefined) messages.push(message);
  }
  for (const wire of welcomeMessages) {
    const message = fromWireWelcomeMessage(wire);
    if (message !== undefined) messages.push(message);
  }
  return messages;
}

/** The topic of these bytes, or none if they are of a kind that this client does not know. */
function toTopics(bytes: Uint8Array): readonly Topic[] {
  const kind = bytes[0];
  const known = (kind === GROUP || kind === WELCOME) && bytes.length > 1;
  return known ? [topicOf(kind, bytes.subarray(1))] : [];
}
