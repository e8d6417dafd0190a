import { Code, ConnectError } from "@connectrpc/connect";
import type { ByteBudget } from "./byte-budget";
import { EnvelopeReader } from "./framing/envelope";

/** Of a call by Connect: what is held of its request. All that has come; of a stream, the message that is not whole yet. */
export class HeldRequest implements Disposable {
  readonly #budget: ByteBudget;
  readonly #stream: EnvelopeReader | undefined;
  #bytes = 0;

  /** `streamMessageBytes`: of a stream, how large a message may be. */
  constructor(budget: ByteBudget, streamMessageBytes?: number) {
    this.#budget = budget;
    if (streamMessageBytes !== undefined)
      this.#stream = new EnvelopeReader(streamMessageBytes, { onEnvelope: () => {} });
  }

  /** The request's chunks, counted. @throws ConnectError from within when too much is held. */
  async *counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#budget.receive(chunk.length);
      this.#stream?.read(chunk);
      const excess = this.#hold(this.#stream?.heldBytes ?? this.#bytes + chunk.length);
      if (excess !== undefined) throw new ConnectError(excess, Code.ResourceExhausted);
      yield chunk;
    }
  }

  [Symbol.dispose](): void {
    this.#stream?.drop();
    this.#hold(0);
  }

  #hold(bytes: number): string | undefined {
    const moreBytes = bytes - this.#bytes;
    this.#bytes = bytes;
    return this.#budget.add(moreBytes);
  }
}
