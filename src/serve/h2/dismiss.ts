import { constants, type ServerHttp2Stream } from "node:http2";
import type { Clock } from "../../base/clock";

/** How long a client may go on sending after the end of its answer has left, in milliseconds: it has yet to hear of it. */
const HEARING_MS = 1_000;

/**
 * To be called before a stream is ended whose request nobody reads to its end: what still comes is thrown away, and
 * a client that doesn't stop by itself is told to. Not at once: the runtime tells of no bytes of a stream that was
 * reset, so what was on its way to us would be taken for a flood.
 */
export function dismiss(stream: ServerHttp2Stream, clock: Clock): void {
  stream.resume();
  stream.once("finish", () => {
    if (stream.readableEnded) {
      stream.close(constants.NGHTTP2_NO_ERROR);
      return;
    }
    const timer = clock.after(HEARING_MS, () => stream.close(constants.NGHTTP2_NO_ERROR));
    stream.once("close", () => timer[Symbol.dispose]());
  });
}
