/** Bounds what clients have the node hold for them: requests that are not whole yet, or not answered. */

import { totalmem } from "node:os";

const MIB = 1024 * 1024;
/** Bounds of what all connections of a process may hold, whatever its memory is. */
const LEAST_BYTES = 64 * MIB;
const MOST_BYTES = 1024 * MIB;
/** One part in so many of the memory. A message that is collected may take twice what has come of it. */
const MEMORY_SHARE = 8;

/**
 * Bytes that all connections of a process hold together.
 *
 * No one may hold more than is still free. So the bound is never passed, and a few who hold much leave as much as each of
 * them has: the fuller it is, the smaller are the requests that still go through, but those of most clients are small.
 */
export class SharedBudget {
  readonly maxBytes: number;
  #bytes = 0;

  constructor(maxBytes = defaultBytes()) {
    this.maxBytes = maxBytes;
  }

  /** What nobody holds. */
  get freeBytes(): number {
    return this.maxBytes - this.#bytes;
  }

  /** For the budgets of connections. */
  change(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** Bytes that one connection holds. */
export class ByteBudget {
  readonly #maxBytes: number;
  readonly #shared: SharedBudget;
  #bytes = 0;
  #received = 0;

  constructor(maxBytes: number, shared: SharedBudget) {
    this.#maxBytes = maxBytes;
    this.#shared = shared;
  }

  /** Counts bytes, or gives them back if negative. Returns in words what has become too much, if anything has. */
  add(bytes: number): string | undefined {
    this.#bytes += bytes;
    this.#shared.change(bytes);
    if (bytes <= 0) return undefined;
    if (this.#bytes > this.#maxBytes) return tooMuchHere(this.#maxBytes);
    const { maxBytes, freeBytes } = this.#shared;
    return this.#bytes > freeBytes ? tooMuchInAll({ maxBytes, freeBytes, heldBytes: this.#bytes }) : undefined;
  }

  /** Bytes that have come so far, whether they are still held or not. */
  get received(): number {
    return this.#received;
  }

  /** So many have come. */
  receive(bytes: number): void {
    this.#received += bytes;
  }
}

function tooMuchHere(maxBytes: number): string {
  const wanted = `wanted at most ${maxBytes} bytes of unfinished requests on one connection, found more`;
  return `${wanted}; finish some first, or open another connection`;
}

interface Fill {
  readonly maxBytes: number;
  readonly freeBytes: number;
  readonly heldBytes: number;
}

function tooMuchInAll({ maxBytes, freeBytes, heldBytes }: Fill): string {
  const wanted = `wanted at most ${maxBytes} bytes of unfinished requests on all connections, and on one no more than are free`;
  return `${wanted}; found ${Math.max(0, freeBytes)} free, ${heldBytes} here; try again later, or send less at once`;
}

function defaultBytes(): number {
  // Of a container, where there is one.
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory());
  return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, Math.floor(memoryBytes / MEMORY_SHARE)));
}
