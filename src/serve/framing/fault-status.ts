/** What a gRPC client is told whose requests are not framed as they should be. */

import { Code } from "@connectrpc/connect";
import type { Status } from "../errors";
import { FLAG_COMPRESSED, FLAG_END_STREAM, type FramingFault } from "./envelope";

/** The status for a fault, where a message may have `maxRequestBytes`. */
export function statusOfFault(fault: FramingFault, maxRequestBytes: number): Status {
  if (fault.kind === "tooLong") {
    const message = `wanted a request of at most ${maxRequestBytes} bytes, found one of ${fault.lengthBytes}; ask for less at a time`;
    return { code: Code.ResourceExhausted, message };
  }
  const message = `the body ended in the middle of a request: wanted ${fault.wantedBytes} bytes, found ${fault.gotBytes}`;
  return { code: Code.InvalidArgument, message };
}

/** The status for an envelope whose flags are not 0, where no encoding was named. */
export function statusOfFlags(flags: number): Status {
  if (flags === FLAG_COMPRESSED) {
    return {
      code: Code.Internal,
      message: "wanted a plain request, since the headers name no encoding; found one that is flagged as compressed",
    };
  }
  if (flags === FLAG_END_STREAM) {
    return {
      code: Code.InvalidArgument,
      message: "wanted a request, found the envelope by which a server ends a stream (flags 2)",
    };
  }
  return { code: Code.Internal, message: `wanted an envelope with the flags 0, found ${flags}` };
}

/** The status for requests of which too much is held; in words, what is. */
export function statusOfExcess(excess: string): Status {
  return { code: Code.ResourceExhausted, message: excess };
}
