import type { Socket } from "node:net";
import type { TurnGroup, TurnSlot } from "../stream/turn";

/**
 * Keeps the streams of one connection from waiting for each other.
 *
 * Bun 1.4.5 queues what any stream writes while one of them has something queued, be it that its client takes
 * nothing, and looks through the queue only when the client sends something or the socket has drained
 * (oven-sh/bun#43422). So it is told of a drained socket whenever a write was not taken at once: it then sends what
 * has room in its own window.
 */
export class SessionFlush {
  readonly #slot: TurnSlot;

  constructor(group: TurnGroup, socket: Socket) {
    this.#slot = group.slot(() => socket.emit("drain"));
  }

  /** To be called when something was written that the transport has not taken: it is looked at in the next turn. */
  soon(): void {
    this.#slot.mark();
  }
}
