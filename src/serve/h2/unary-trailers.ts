import type { OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { TurnGroup, TurnSlot } from "../stream/turn";

/**
 * Sends the trailers of one connection's calls.
 *
 * Bun passes a stream's trailers to the socket as soon as they are there, with all that has collected before: right
 * for a call that is answered alone, whose whole answer leaves in one write. But the answers to a batch would cost a
 * system call each, of ten bytes. Trailers that are sent later than the stream asks for them wait for the end of
 * the turn; so those of answers that are due together go there, in a row.
 */
export class UnaryTrailers {
  readonly #slot: TurnSlot;
  readonly #waiting: { readonly stream: ServerHttp2Stream; readonly trailers: OutgoingHttpHeaders }[] = [];
  /** Answers of this turn. */
  #answers = 0;

  constructor(group: TurnGroup) {
    this.#slot = group.slot(() => this.#flush());
  }

  /** To be called when a stream is answered, before it is ended. */
  expect(): void {
    this.#answers++;
    this.#slot.mark();
  }

  /** To be called when a stream wants its trailers. */
  send(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders): void {
    if (this.#answers <= 1) {
      stream.sendTrailers(trailers);
      return;
    }
    this.#waiting.push({ stream, trailers });
    this.#slot.mark();
  }

  #flush(): void {
    this.#answers = 0;
    for (const { stream, trailers } of this.#waiting) {
      if (!stream.destroyed && !stream.closed) stream.sendTrailers(trailers);
    }
    this.#waiting.length = 0;
  }
}
