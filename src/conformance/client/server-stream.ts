import type { MessageOf, Schema } from "../../wire/codec";
import { decodeBytes, encodeInit, type InitOf } from "../../wire/init";
import type { Call, CallEnd, Connection } from "./connection";
import { EnvelopeReader, envelope, showStatus } from "./grpc";
import type { HeardMessage } from "./heard";
import type { Waiters } from "./wait";

/** A method with one request and a stream of responses of these schemas. */
export interface StreamingMethod<I extends Schema, O extends Schema> {
  readonly name: string;
  readonly parent: { readonly typeName: string };
  readonly input: I;
  readonly output: O;
}

export interface ServerStreamParts {
  readonly connection: Connection;
  readonly waiters: Waiters;
  readonly patienceMs: number;
}

/** One of the older streams: a single request, then messages until it is cancelled. */
export class ServerStream {
  readonly messages: HeardMessage[] = [];
  readonly #parts: ServerStreamParts;
  readonly #call: Call;
  #hasHeaders = false;
  #end: CallEnd | undefined;

  private constructor(parts: ServerStreamParts, path: string, push: (message: Uint8Array) => HeardMessage) {
    this.#parts = parts;
    const { connection, waiters } = parts;
    const reader = new EnvelopeReader();
    this.#call = connection.call(path, {
      headers: () => {
        this.#hasHeaders = true;
        waiters.wake();
      },
      data: (chunk) => {
        for (const { message } of reader.push(chunk)) this.messages.push(push(message));
        waiters.wake();
      },
      ended: (end) => {
        this.#end = end;
        waiters.wake();
      },
    });
  }

  /** Sends the request; `heard` reads a response. */
  static open<I extends Schema, O extends Schema>(
    parts: ServerStreamParts,
    method: StreamingMethod<I, O>,
    request: InitOf<I>,
    heard: (message: MessageOf<O>) => HeardMessage,
  ): ServerStream {
    const path = `/${method.parent.typeName}/${method.name}`;
    const stream = new ServerStream(parts, path, (bytes) => heard(decodeBytes(method.output, bytes)));
    stream.#call.write(envelope(encodeInit(method.input, request)));
    stream.#call.end();
    return stream;
  }

  /** `undefined` while it is open. */
  get end(): CallEnd | undefined {
    return this.#end;
  }

  get ids(): readonly bigint[] {
    return this.messages.map(({ id }) => id);
  }

  async headers(): Promise<void> {
    await this.#until(() => this.#hasHeaders || undefined, "response headers");
  }

  /** Waits until so many messages have come. */
  async delivered(count: number): Promise<void> {
    await this.#until(() => this.messages.length >= count || undefined, `${count} messages`);
  }

  /** Waits until it has ended. */
  async ended(): Promise<CallEnd> {
    return await this.#until(() => this.#end, "the end of the stream");
  }

  cancel(): void {
    this.#call.cancel();
  }

  #until<T>(look: () => T | undefined, what: string): Promise<T> {
    const end = () => (this.#end === undefined ? "" : `, then ${showStatus(this.#end)}`);
    return this.#parts.waiters.until(look, {
      what,
      withinMs: this.#parts.patienceMs,
      instead: () => `${this.messages.length} messages${end()}`,
      hopeless: () => this.#end !== undefined,
    });
  }
}
