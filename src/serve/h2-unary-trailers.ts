import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { TurnGroup, TurnSlot } from "./turn";

/**
 * Sends the trailers of one connection's calls.
 *
 * Bun passes a stream's trailers to the socket as soon as they are there, with all that has collected before; so
 * the answers to a batch would cost a system call each, of ten bytes. But trailers that are sent later than the
 * stream asks for them wait for the end of the turn. So the first in a turn go at once, for the sake of
 * a call that is alone, and those which follow in the same turn go together: in a row, at its end.
 */
export class UnaryTrailers {
  readonly #slot: TurnSlot;
  readonly #waiting: { readonly stream: ServerHttp2Stream; readonly trailers: OutgoingHttpHeaders }[] = [];
  #isFirst = true;

  constructor(group: TurnGroup) {
    this.#slot = group.slot(() => this.#flush());
  }

  /** To be called when a stream wants its trailers. */
  send(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders): void {
    this.#slot.mark();
    if (!this.#isFirst) {
      this.#waiting.push({ stream, trailers });
      return;
    }
    this.#isFirst = false;
    stream.sendTrailers(trailers);
  }

  #flush(): void {
    this.#isFirst = true;
    for (const { stream, trailers } of this.#waiting) {
      if (!stream.destroyed && !stream.closed) stream.sendTrailers(trailers);
    }
    this.#waiting.length = 0;
  }
}
