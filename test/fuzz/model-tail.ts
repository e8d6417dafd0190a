import type { Message } from "../../src/core/message";
import type { Offset, TailView } from "../../src/core/tail";
import { type PerKind, withKind } from "../../src/core/topic";

/** A tail that keeps a fixed number of messages and remembers which ones it was asked for. */
export class ModelTail implements TailView {
  /** What `get` handed out since this was cleared last: what a session may put on the wire without having kept it (I11). */
  readonly handedOut = new Set<Message>();
  /** Whether any message has left. */
  hasEvicted = false;
  readonly #messages = new Map<Offset, Message>();
  readonly #capacity: number;
  #head: Offset = 0;
  #headIds: PerKind<bigint>;

  /** `capacity`: messages held, at least 1. `headIds`: what its process had seen before it began. */
  constructor(capacity: number, headIds: PerKind<bigint> = [0n, 0n]) {
    this.#capacity = capacity;
    this.#headIds = headIds;
  }

  get head(): Offset {
    return this.#head;
  }

  get headIds(): PerKind<bigint> {
    return this.#headIds;
  }

  get(offset: Offset): Message | undefined {
    const message = this.#messages.get(offset);
    if (message !== undefined) this.handedOut.add(message);
    return message;
  }

  /** Adds a message, which pushes out the oldest one if the tail is full. Returns its offset. */
  append(message: Message): Offset {
    this.#head += 1;
    this.#messages.set(this.#head, message);
    this.#drop(this.#head - this.#capacity);
    this.#headIds = withKind(this.#headIds, message.kind, message.id);
    return this.#head;
  }

  /** Pushes out everything but the newest `kept` messages. */
  evict(kept: number): void {
    for (const offset of this.#messages.keys()) {
      if (offset <= this.#head - kept) this.#drop(offset);
    }
  }

  #drop(offset: Offset): void {
    if (this.#messages.delete(offset)) this.hasEvicted = true;
  }
}
