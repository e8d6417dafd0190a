import { Code, ConnectError } from "@connectrpc/connect";
import type { GroupMessage, SubscribeTransport } from "../../src/client/index";
import type { ClientRequest, ServerFrame } from "../../src/core/connection/events";
import type { Lane } from "../../src/core/frame";
import { GROUP, type Topic, topicBytes } from "../../src/core/topic";

type Frame = ServerFrame<GroupMessage>;
type Said = { readonly kind: "frame"; readonly frame: Frame } | { readonly kind: "end"; readonly error: unknown };

/** One stream whose node's side is played by the test. */
export class ScriptedStream {
  readonly signal: AbortSignal;
  /** What the client has said so far. */
  readonly heard: ClientRequest[] = [];
  halfClosed = false;
  /** How many frames the client has taken. */
  taken = 0;
  #said: Said[] = [];
  #wake: (() => void) | undefined;

  constructor(requests: AsyncIterable<ClientRequest>, signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener("abort", () => this.end(new ConnectError("canceled", Code.Canceled)));
    void this.#listen(requests);
  }

  say(...frames: readonly Frame[]): void {
    for (const frame of frames) this.#push({ kind: "frame", frame });
  }

  /** Ends the stream; without an error: with OK. */
  end(error?: unknown): void {
    this.#push({ kind: "end", error });
  }

  async *frames(): AsyncGenerator<Frame> {
    for (;;) {
      const said = this.#said.shift();
      if (said === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      if (said.kind === "frame") {
        this.taken++;
        yield said.frame;
        continue;
      }
      if (said.error === undefined) return;
      throw said.error;
    }
  }

  #push(said: Said): void {
    this.#said.push(said);
    this.#wake?.();
  }

  async #listen(requests: AsyncIterable<ClientRequest>): Promise<void> {
    for await (const request of requests) this.heard.push(request);
    this.halfClosed = true;
  }
}

export class ScriptedTransport implements SubscribeTransport {
  readonly streams: ScriptedStream[] = [];

  open(requests: AsyncIterable<ClientRequest>, signal: AbortSignal): AsyncIterable<Frame> {
    const stream = new ScriptedStream(requests, signal);
    this.streams.push(stream);
    return stream.frames();
  }

  /** The stream opened last. */
  get last(): ScriptedStream {
    const stream = this.streams.at(-1);
    if (stream === undefined) throw new Error("no stream has been opened");
    return stream;
  }
}

export function groupMessage(topic: Topic, id: bigint, size = 0): GroupMessage {
  return {
    kind: GROUP,
    topic,
    id,
    createdNs: 1n,
    groupId: topicBytes(topic).subarray(1),
    data: new Uint8Array(size),
    senderHmac: new Uint8Array(),
    shouldPush: false,
    isCommit: false,
  };
}

export function delivery(lane: Lane, ...messages: readonly GroupMessage[]): Frame {
  return { kind: "messages", lane, messages };
}
