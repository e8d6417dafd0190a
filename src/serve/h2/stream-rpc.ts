import type { Frame } from "../../core/frame";
import type { DecodedRequest } from "../../wire/subscribe";

/** A streaming RPC: how its requests are read, and its frames written, as protobuf in envelopes. */
export interface StreamRpc {
  /** Name for logs and metrics. */
  readonly name: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /**
   * `mutable`: requests keep coming, half-close ends the stream once it is drained, Pings are exchanged (XIP-83).
   * `fixed`: a single request, after which the client is silent; the stream lasts until it is cancelled.
   */
  readonly kind: "mutable" | "fixed";
  decode(request: Uint8Array): DecodedRequest;
  /** Size of a frame, envelopes included, in bytes; 0 if this RPC has no words for it. */
  sizeOf(frame: Frame): number;
  /** Writes a frame and returns where it ends: `at` + {@link sizeOf}. */
  write(frame: Frame, target: Uint8Array, at: number): number;
}
