/**
 * The frames of `MlsApi/Subscribe`: requests into events of a session, a session's frames into bytes.
 *
 * Frames are written by hand, because the entries of a delivery are encoded already and need only be
 * copied, once. What comes out is byte for byte what protobuf-es would write. No envelope of gRPC or
 * Connect is added here.
 */

import { create } from "@bufbuild/protobuf";
import { type Add, type Frame, LIVE } from "../core/frame";
import type { Message } from "../core/message";
import type { SessionEvent } from "../core/session/events";
import { GROUP, type Kind, topicBytes, WELCOME } from "../core/topic";
import { latin1 } from "./bytes";
import { decodeMessage, type MessageOf, type Schema } from "./codec";
import { groupMessageOf, welcomeMessageOf } from "./entry";
import {
  type SubscribeRequest,
  type SubscribeRequest_V1_Mutate,
  SubscribeRequestSchema,
  type SubscribeResponse,
  SubscribeResponseSchema,
} from "./gen/mls/api/v1/mls_pb";
import { readPlainMutate } from "./mutate";
import { sizeOfVarint, sizeOfVarint64, writeVarint, writeVarint64 } from "./varint";

/** What a request means to its session. */
export type DecodedRequest =
  | { readonly kind: "event"; readonly event: SessionEvent }
  /** V1 with a request type that this node does not know: ignored and counted (R-5b). */
  | { readonly kind: "unknownRequest" };

// Tags of length-delimited fields: V1 in SubscribeResponse, then the arms of its `response` oneof.
const V1_TAG = 0x0a;
const MESSAGES_TAG = 0x0a;
const STARTED_TAG = 0x12;
const PING_TAG = 0x1a;
const PONG_TAG = 0x22;
const TOPICS_LIVE_TAG = 0x2a;
const CATCHUP_COMPLETE_TAG = 0x32;
// Fields of the arms.
const LANE_TAG = 0x18;
const TOPIC_TAG = 0x0a;
/** The first field of Started, Ping, Pong and CatchupComplete, a varint. */
const FIRST_VARINT_TAG = 0x08;

/** Reads one request. Bytes that are none, and a request of no known version, are `malformed`. */
export function decodeSubscribeRequest(bytes: Uint8Array): DecodedRequest {
  const mutate = readPlainMutate(bytes);
  if (mutate !== undefined) return { kind: "event", event: { kind: "mutate", mutate } };
  return decodeRequest(SubscribeRequestSchema, bytes, fromSubscribeRequest);
}

/** Reads a request by its schema, and has `read` say what it means. Bytes that are none are `malformed`. */
export function decodeRequest<S extends Schema>(
  schema: S,
  bytes: Uint8Array,
  read: (request: MessageOf<S>) => DecodedRequest,
): DecodedRequest {
  const decoded = decodeMessage(schema, bytes);
  return decoded.kind === "message" ? read(decoded.message) : malformed(decoded.detail);
}

/** The same for a request that another codec has read already. */
export function fromSubscribeRequest(message: SubscribeRequest): DecodedRequest {
  if (message.version.case !== "v1") {
    return malformed("a request without a known version; this node speaks v1 (field 1 of SubscribeRequest)");
  }
  const { request } = message.version.value;
  switch (request.case) {
    case "mutate":
      return { kind: "event", event: { kind: "mutate", mutate: toMutate(request.value) } };
    case "ping":
      return { kind: "event", event: { kind: "ping", nonce: request.value.nonce } };
    case "pong":
      return { kind: "event", event: { kind: "pong", nonce: request.value.nonce } };
    case undefined:
      return { kind: "unknownRequest" };
    default:
      return request satisfies never;
  }
}

/** Size of an encoded frame, in bytes. */
export function frameBytes(frame: Frame): number {
  const armSize = sizeOfArm(frame);
  const v1Size = 1 + sizeOfVarint(armSize) + armSize;
  return 1 + sizeOfVarint(v1Size) + v1Size;
}

/**
 * Writes a frame as an encoded SubscribeResponse and returns where it ends: `at` + {@link frameBytes}.
 * The target must have that much room.
 */
export function writeFrame(frame: Frame, target: Uint8Array, at: number): number {
  const armSize = sizeOfArm(frame);
  target[at] = V1_TAG;
  let end = writeVarint(1 + sizeOfVarint(armSize) + armSize, target, at + 1);
  target[end++] = tagOfArm(frame);
  end = writeVarint(armSize, target, end);
  return writeArm(frame, target, end);
}

/** A frame as a message, for codecs other than protobuf. */
export function toSubscribeResponse(frame: Frame): SubscribeResponse {
  return create(SubscribeResponseSchema, {
    version: { case: "v1", value: { response: toResponse(frame) } },
  });
}

function toResponse(frame: Frame) {
  switch (frame.kind) {
    case "messages": {
      const of = (kind: Kind) => frame.messages.filter((message) => message.kind === kind);
      const groupMessages = of(GROUP).map((message) => groupMessageOf(message.entry));
      const welcomeMessages = of(WELCOME).map((message) => welcomeMessageOf(message.entry));
      return { case: "messages", value: { groupMessages, welcomeMessages, mutateId: frame.lane } } as const;
    }
    case "started":
      return { case: "started", value: { keepaliveIntervalMs: frame.keepaliveMs } } as const;
    case "topicsLive":
      return { case: "topicsLive", value: { topics: frame.topics.map(topicBytes) } } as const;
    case "catchupComplete":
      return { case: "catchupComplete", value: { mutateId: frame.mutateId } } as const;
    case "ping":
      return { case: "ping", value: { nonce: frame.nonce } } as const;
    case "pong":
      return { case: "pong", value: { nonce: frame.nonce } } as const;
  }
}

/** A request that ends its stream; `detail` says what was wanted and what was found. */
export function malformed(detail: string): DecodedRequest {
  return { kind: "event", event: { kind: "malformed", detail } };
}

function toMutate(mutate: SubscribeRequest_V1_Mutate) {
  const adds: Add[] = mutate.adds.map((add) => ({ topic: latin1(add.topic), cursor: add.idCursor }));
  return { id: mutate.mutateId, adds, removes: mutate.removes.map(latin1), historyOnly: mutate.historyOnly };
}

function tagOfArm(frame: Frame): number {
  switch (frame.kind) {
    case "messages":
      return MESSAGES_TAG;
    case "started":
      return STARTED_TAG;
    case "ping":
      return PING_TAG;
    case "pong":
      return PONG_TAG;
    case "topicsLive":
      return TOPICS_LIVE_TAG;
    case "catchupComplete":
      return CATCHUP_COMPLETE_TAG;
  }
}

function sizeOfArm(frame: Frame): number {
  switch (frame.kind) {
    case "messages": {
      let size = frame.lane === LIVE ? 0 : 1 + sizeOfVarint64(frame.lane);
      for (const message of frame.messages) size += message.entry.length;
      return size;
    }
    case "topicsLive": {
      let size = 0;
      for (const topic of frame.topics) size += 1 + sizeOfVarint(topic.length) + topic.length;
      return size;
    }
    default: {
      const value = onlyVarint(frame);
      return value === 0n ? 0 : 1 + sizeOfVarint64(value);
    }
  }
}

function writeArm(frame: Frame, target: Uint8Array, at: number): number {
  switch (frame.kind) {
    case "messages":
      return writeMessages(frame, target, at);
    case "topicsLive": {
      let end = at;
      for (const topic of frame.topics) end = writeTopic(topic, target, end);
      return end;
    }
    default: {
      const value = onlyVarint(frame);
      if (value === 0n) return at;
      target[at] = FIRST_VARINT_TAG;
      return writeVarint64(value, target, at + 1);
    }
  }
}

/** Group messages come before welcomes, because protobuf writes fields by their number; no order is lost. */
function writeMessages(frame: Extract<Frame, { kind: "messages" }>, target: Uint8Array, at: number): number {
  let end = writeEntries(frame.messages, GROUP, target, at);
  end = writeEntries(frame.messages, WELCOME, target, end);
  if (frame.lane === LIVE) return end;
  target[end] = LANE_TAG;
  return writeVarint64(frame.lane, target, end + 1);
}

function writeEntries(messages: readonly Message[], kind: Kind, target: Uint8Array, at: number): number {
  let end = at;
  for (const message of messages) {
    if (message.kind !== kind) continue;
    target.set(message.entry, end);
    end += message.entry.length;
  }
  return end;
}

function writeTopic(topic: string, target: Uint8Array, at: number): number {
  target[at] = TOPIC_TAG;
  const start = writeVarint(topic.length, target, at + 1);
  for (let i = 0; i < topic.length; i++) target[start + i] = topic.charCodeAt(i);
  return start + topic.length;
}

/** The one field of the frames that have only one. */
function onlyVarint(frame: Exclude<Frame, { kind: "messages" | "topicsLive" }>): bigint {
  switch (frame.kind) {
    case "started":
      return BigInt(frame.keepaliveMs);
    case "catchupComplete":
      return frame.mutateId;
    case "ping":
    case "pong":
      return frame.nonce;
  }
}
