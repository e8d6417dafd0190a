/** What a call may take besides its request, in bytes: headers with a token in them, and the frames around it. */
const CALL_BYTES = 8 * 1024;
/** Of a request's bytes one in so many may be added by frames: nine bytes go before every 16 KiB that a client sends at once. */
const REQUEST_BYTES_PER_FRAME_BYTE = 1_024;

/** What has come over a connection so far. */
export interface Received {
  /** Bytes, of whatever kind. */
  readonly bytes: number;
  /** Bytes of requests that were heard of: fewer than have come, while some wait to be read. */
  readonly requestBytes: number;
  readonly calls: number;
}

/** Tells how much of what comes over a connection no request explains. */
export class OtherBytes {
  /** The most so far, not the latest: what waits to be read comes and goes, and would be counted again each time. */
  #highestBytes: number;

  /** `windowBytes`: how much of its requests a client may send ahead of what is read. */
  constructor(windowBytes: number) {
    this.#highestBytes = windowBytes;
  }

  /** Bytes that are no part of a request and have not been told before. */
  more({ bytes, requestBytes, calls }: Received): number {
    const frameBytes = requestBytes / REQUEST_BYTES_PER_FRAME_BYTE;
    const otherBytes = bytes - requestBytes - frameBytes - calls * CALL_BYTES;
    const moreBytes = Math.max(0, otherBytes - this.#highestBytes);
    this.#highestBytes += moreBytes;
    return moreBytes;
  }
}
