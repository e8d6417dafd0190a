/** What a stream may be given at most, as large as a frame aims to be, and what it always may: what the transport takes. */
const MOST_BYTES = 1024 * 1024;
const LEAST_BYTES = 16 * 1024;
/** Which part of what is left one stream may have, so that there is something left for the next. */
const PART = 1 / 16;

/**
 * Bytes that are encoded for streams and wait for their readers, of all streams of a process together.
 *
 * A reader that takes nothing holds what its stream was given last. So all of them share a bound: while little is
 * waiting a stream is given much, and the nearer the bound the less.
 */
export class UnsentBytes {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How much is waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How much a stream may be given now, about. */
  get shareBytes(): number {
    return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, (this.#maxBytes - this.#bytes) * PART));
  }

  /** So many more are waiting, or fewer if negative. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }
}
