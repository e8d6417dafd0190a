import { type Frame, LIVE } from "../../core/frame";
import type { Message } from "../../core/message";
import type { FrameSink, StreamRunner } from "../stream/runner";
import type { StreamRpc } from "./stream-rpc";

/** Encoded live frames that are kept, and the size up to which one is, in bytes. */
const KEPT_FRAMES = 32;
const KEPT_FRAME_BYTES = 64 * 1024;

interface KeptFrame {
  readonly rpc: StreamRpc;
  readonly messages: readonly Message[];
  readonly bytes: Buffer;
}

/**
 * Pulls what a stream has to say in a turn and writes it into one buffer.
 *
 * Streams that watch the same topics have the same to say in the same turn: a live frame that was just encoded for
 * one of them is handed to the others as it is, so whoever gets it must not change it.
 */
export class FrameEncoder implements FrameSink {
  /** By the first message of the frame; the oldest is at the front. */
  readonly #kept = new Map<Message, KeptFrame>();
  readonly #frames: Frame[] = [];
  #rpc: StreamRpc | undefined;
  #frameBytes = 0;
  #roomBytes = 0;
  #sizeBytes = 0;

  /**
   * The bytes that a stream has to write now, `undefined` if there are none: about `shareBytes` at most, and no
   * frame more once they are `turnBytes`.
   */
  encode(runner: StreamRunner, rpc: StreamRpc, shareBytes: number, turnBytes: number): Buffer | undefined {
    this.#rpc = rpc;
    this.#frameBytes = shareBytes;
    this.#roomBytes = Math.min(shareBytes, turnBytes);
    this.#sizeBytes = 0;
    this.#frames.length = 0;
    runner.pull(this);
    const [only] = this.#frames;
    if (only === undefined) return undefined;
    const isShared = this.#frames.length === 1 && only.kind === "messages" && only.lane === LIVE;
    return isShared ? this.#encodeShared(only.messages, only, rpc) : this.#encodeAll(rpc);
  }

  /** Whether the last call stopped for want of room. */
  get wasFull(): boolean {
    return this.#sizeBytes >= this.#roomBytes;
  }

  /** For the runner. */
  get frameBytes(): number {
    return this.#frameBytes;
  }

  /** For the runner. */
  take(frame: Frame): boolean {
    const size = this.#rpc?.sizeOf(frame) ?? 0;
    if (size > 0) this.#frames.push(frame);
    this.#sizeBytes += size;
    return this.#sizeBytes < this.#roomBytes;
  }

  #encodeShared(messages: readonly Message[], frame: Frame, rpc: StreamRpc): Buffer {
    const [first] = messages;
    const kept = first === undefined ? undefined : this.#kept.get(first);
    if (kept !== undefined && kept.rpc === rpc && areSame(kept.messages, messages)) return kept.bytes;
    const bytes = Buffer.allocUnsafe(this.#sizeBytes);
    rpc.write(frame, bytes, 0);
    if (first !== undefined && bytes.length <= KEPT_FRAME_BYTES) this.#keep(first, { rpc, messages, bytes });
    return bytes;
  }

  #keep(first: Message, frame: KeptFrame): void {
    this.#kept.delete(first);
    this.#kept.set(first, frame);
    if (this.#kept.size <= KEPT_FRAMES) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }

  #encodeAll(rpc: StreamRpc): Buffer {
    const bytes = Buffer.allocUnsafe(this.#sizeBytes);
    let at = 0;
    for (const frame of this.#frames) at = rpc.write(frame, bytes, at);
    return bytes;
  }
}

function areSame(these: readonly Message[], those: readonly Message[]): boolean {
  if (these.length !== those.length) return false;
  for (let at = 0; at < these.length; at++) if (these[at] !== those[at]) return false;
  return true;
}
