/** The streaming RPCs of MlsApi. */

import type { Frame } from "../../core/frame";
import { entryMessage } from "../../wire/entry";
import { decodeSubscribeGroupMessagesRequest, decodeSubscribeWelcomeMessagesRequest } from "../../wire/legacy";
import { decodeSubscribeRequest, frameBytes, writeFrame } from "../../wire/subscribe";
import { ENVELOPE_BYTES, writeEnvelope } from "../framing/envelope";
import type { StreamRpc } from "./stream-rpc";

const SERVICE = "/xmtp.mls.api.v1.MlsApi";

/** XIP-83: each frame is one message. */
export const SUBSCRIBE: StreamRpc = {
  name: "Subscribe",
  path: `${SERVICE}/Subscribe`,
  kind: "mutable",
  decode: decodeSubscribeRequest,
  sizeOf: (frame: Frame) => ENVELOPE_BYTES + frameBytes(frame),
  write: (frame, target, at) => writeFrame(frame, target, writeEnvelope(target, at, 0, frameBytes(frame))),
};

/** The older stream of groups: each message by itself. */
const SUBSCRIBE_GROUP_MESSAGES: StreamRpc = {
  name: "SubscribeGroupMessages",
  path: `${SERVICE}/SubscribeGroupMessages`,
  kind: "fixed",
  decode: decodeSubscribeGroupMessagesRequest,
  sizeOf: sizeOfMessages,
  write: writeMessages,
};

/** The older stream of welcomes: each message by itself. */
const SUBSCRIBE_WELCOME_MESSAGES: StreamRpc = {
  name: "SubscribeWelcomeMessages",
  path: `${SERVICE}/SubscribeWelcomeMessages`,
  kind: "fixed",
  decode: decodeSubscribeWelcomeMessagesRequest,
  sizeOf: sizeOfMessages,
  write: writeMessages,
};

/** All of them. */
export const STREAM_RPCS: readonly StreamRpc[] = [SUBSCRIBE, SUBSCRIBE_GROUP_MESSAGES, SUBSCRIBE_WELCOME_MESSAGES];

/** Of all frames only messages have a place in the older streams. */
function sizeOfMessages(frame: Frame): number {
  if (frame.kind !== "messages") return 0;
  let size = 0;
  for (const { entry } of frame.messages) size += ENVELOPE_BYTES + entryMessage(entry).length;
  return size;
}

function writeMessages(frame: Frame, target: Uint8Array, at: number): number {
  if (frame.kind !== "messages") return at;
  let end = at;
  for (const { entry } of frame.messages) {
    const message = entryMessage(entry);
    end = writeEnvelope(target, end, 0, message.length);
    target.set(message, end);
    end += message.length;
  }
  return end;
}
