/** The streaming RPCs of MlsApi. */

import type { Frame } from "../core/frame";
import { decodeSubscribeRequest, frameBytes, writeFrame } from "../wire/subscribe";
import { ENVELOPE_BYTES, writeEnvelope } from "./framing";
import type { StreamRpc } from "./h2-rpc";

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
