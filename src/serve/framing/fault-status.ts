/** What a gRPC client is told whose requests are not framed as they should be. */

import { Code } from "@connectrpc/connect";
import type { Status } from "../errors";
import { FLAG_COMPRESSED, FLAG_END_STREAM, type FramingFault } from "./envelope";

/** The status for a fault, where a message may have `maxRequestBytes`. */
export function statusOfFault(fault: FramingFault, maxRequestBytes: number): Status {
  if (fault.kind === "tooLong") {
    const message = `a request may have ${maxRequestBytes} bytes, this one announced ${fault.lengthBytes}`;
    return { code: Code.ResourceExhausted, message };
  }
  const message = `the requests ended within one: wanted ${fault.wantedBytes} bytes, got ${fault.gotBytes}`;
  return { code: Code.InvalidArgument, message };
}

/** The status for an envelope whose flags are not 0, where no encoding was named. */
export function statusOfFlags(flags: number): Status {
  if (flags === FLAG_COMPRESSED) {
    return {
      code: Code.Internal,
      message: "a request is flagged as compressed, but no encoding was named in the headers",
    };
  }
  if (flags === FLAG_END_STREAM) {
    return { code: Code.InvalidArgument, message: "only a server ends a stream by an envelope" };
  }
  return { code: Code.Internal, message: `an envelope with the flags ${flags}, of which none is known` };
}

/** The status for requests that hold more than their connection may. */
export function statusOfBudget(maxBytes: number): Status {
  return { code: Code.ResourceExhausted, message: `at most ${maxBytes} bytes of unfinished requests per connection` };
}
