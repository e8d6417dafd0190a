/** What a server says on a stream, as frames of the core, so that one checker serves all. */

import { messageOf } from "../../base/thrown";
import type { Frame } from "../../core/frame";
import type { Message } from "../../core/message";
import { GROUP, isTopic, type Topic, topicBytes, topicOf, WELCOME } from "../../core/topic";
import {
  type GroupMessage,
  type SubscribeResponse_V1_Messages,
  SubscribeResponseSchema,
  type WelcomeMessage,
} from "../../wire/gen/mls/api/v1/mls_pb";
import { decodeBytes } from "../../wire/init";

/** A message as it was delivered. */
export interface HeardMessage extends Message {
  readonly createdNs: bigint;
  /** What was published: the MLS message, the welcome or the pointer. */
  readonly data: Uint8Array;
}

export type HeardFrame =
  | Exclude<Frame, { kind: "messages" }>
  | { readonly kind: "messages"; readonly lane: bigint; readonly messages: readonly HeardMessage[] };

/** What an envelope's message says. */
export type Heard =
  | { readonly kind: "frame"; readonly frame: HeardFrame }
  /** V1 with a response type that this kit does not know: passed over. */
  | { readonly kind: "unknown" }
  | { readonly kind: "unreadable"; readonly why: string };

const NO_ENTRY = new Uint8Array();

/** Reads a SubscribeResponse. */
export function hear(bytes: Uint8Array): Heard {
  try {
    const response = decodeBytes(SubscribeResponseSchema, bytes);
    if (response.version.case !== "v1") return { kind: "unreadable", why: "a response without a known version (R-4)" };
    const said = response.version.value.response;
    switch (said.case) {
      case "started":
        return frame({ kind: "started", keepaliveMs: said.value.keepaliveIntervalMs });
      case "messages":
        return frame({ kind: "messages", lane: said.value.mutateId, messages: messagesOf(said.value) });
      case "topicsLive":
        return frame({ kind: "topicsLive", topics: said.value.topics.map(topicOfWire) });
      case "catchupComplete":
        return frame({ kind: "catchupComplete", mutateId: said.value.mutateId });
      case "ping":
      case "pong":
        return frame({ kind: said.case, nonce: said.value.nonce });
      case undefined:
        return { kind: "unknown" };
      default:
        return said satisfies never;
    }
  } catch (error) {
    return { kind: "unreadable", why: messageOf(error) };
  }
}

/** A delivered group message. @throws Error if it has no version or names no group. */
export function heardGroupMessage({ version }: GroupMessage): HeardMessage {
  if (version.case !== "v1") throw new Error("a group message without a known version");
  const { id, createdNs, groupId, data } = version.value;
  return { kind: GROUP, id, createdNs, topic: topicOf(GROUP, groupId), data, entry: NO_ENTRY };
}

/** A delivered welcome. @throws Error if it has no version or names no installation. */
export function heardWelcome({ version }: WelcomeMessage): HeardMessage {
  switch (version.case) {
    case "v1": {
      const { id, createdNs, installationKey, data } = version.value;
      return { kind: WELCOME, id, createdNs, topic: topicOf(WELCOME, installationKey), data, entry: NO_ENTRY };
    }
    case "welcomePointer": {
      const { id, createdNs, installationKey, welcomePointer: data } = version.value;
      return { kind: WELCOME, id, createdNs, topic: topicOf(WELCOME, installationKey), data, entry: NO_ENTRY };
    }
    case undefined:
      throw new Error("a welcome without a known version");
    default:
      return version satisfies never;
  }
}

/** A topic as people read it: its kind and the first bytes of its identifier. */
export function showTopic(topic: string): string {
  const bytes = topicBytes(topic);
  const kind = topic.charCodeAt(0) === GROUP ? "group" : "welcome";
  return `${kind} ${Buffer.from(bytes.subarray(1, 5)).toString("hex")}…`;
}

/** A frame as people read it. */
export function showFrame(said: HeardFrame): string {
  switch (said.kind) {
    case "started":
      return `Started(${said.keepaliveMs} ms)`;
    case "messages":
      return `Messages(tag ${said.lane}: ${said.messages.map(({ id }) => id).join(" ")})`;
    case "topicsLive":
      return `TopicsLive(${said.topics.length})`;
    case "catchupComplete":
      return `CatchupComplete(${said.mutateId})`;
    case "ping":
      return `Ping(${said.nonce})`;
    case "pong":
      return `Pong(${said.nonce})`;
    default:
      return said satisfies never;
  }
}

function frame(said: HeardFrame): Heard {
  return { kind: "frame", frame: said };
}

function messagesOf({ groupMessages, welcomeMessages }: SubscribeResponse_V1_Messages): readonly HeardMessage[] {
  return [...groupMessages.map(heardGroupMessage), ...welcomeMessages.map(heardWelcome)];
}

function topicOfWire(bytes: Uint8Array): Topic {
  const text = Buffer.from(bytes).toString("latin1");
  if (!isTopic(text)) throw new Error("a TopicsLive that lists what is no topic");
  return text;
}
