import type { Clock } from "../base/clock";
import type { Tail } from "../core/tail";
import { KINDS, type Kind, type PerKind } from "../core/topic";
import { StoreError } from "../store/error";
import type { StoredMessage } from "../store/types";
import type { HeadIndex } from "./head-index";
import type { Hub } from "./hub";
import type { EncodeEntry } from "./types";

export interface IntakeParts {
  readonly tail: Tail;
  readonly hub: Hub;
  readonly heads: HeadIndex;
  readonly encode: EncodeEntry;
  readonly clock: Clock;
}

/** Someone who waits until the tail has reached an id. */
interface Waiter {
  readonly id: bigint;
  readonly timer: Disposable;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

/**
 * The one way into the tail. In one synchronous tick each row is encoded, appended, noted in the head index and
 * offered to whoever watches its topic.
 *
 * Rows may come twice, from memory and from the store: a row that is not above its kind's head is passed over
 * (I2), so the tail ascends whatever came first (I3).
 */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #waiters: PerKind<Set<Waiter>> = [new Set(), new Set()];
  #stopped = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** Takes rows in ascending order per kind, without gaps between the tail's head and the last of them. */
  accept(rows: readonly StoredMessage[]): void {
    try {
      for (const row of rows) this.#append(row);
    } finally {
      this.#parts.hub.flush();
      for (const kind of KINDS) this.#release(kind);
    }
  }

  /**
   * Resolves once the tail's head of a kind is at `id` or above.
   * @throws StoreError `unreachable` after `waitMs`, or when this process is going down.
   */
  reached(kind: Kind, id: bigint, waitMs: number): Promise<void> {
    if (this.#parts.tail.headIds[kind] >= id) return Promise.resolve();
    if (this.#stopped) return Promise.reject(goingDown());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.#parts.clock.after(waitMs, () => {
      this.#waiters[kind].delete(waiter);
      reject(new StoreError("unreachable", `stored, but not read back within ${waitMs} ms`));
    });
    const waiter: Waiter = { id, timer, resolve, reject };
    this.#waiters[kind].add(waiter);
    return promise;
  }

  /** Nobody waits any longer: whoever does is told so. */
  stop(): void {
    this.#stopped = true;
    for (const waiters of this.#waiters) {
      for (const waiter of waiters) {
        waiter.timer[Symbol.dispose]();
        waiter.reject(goingDown());
      }
      waiters.clear();
    }
  }

  #append(row: StoredMessage): void {
    const { tail, hub, heads, encode } = this.#parts;
    if (row.id <= tail.headIds[row.kind]) return;
    const { kind, id, topic } = row;
    const offset = tail.append({ kind, id, topic, entry: encode(row) }, heads.saw(topic, id));
    hub.offer(topic, offset);
  }

  #release(kind: Kind): void {
    const headId = this.#parts.tail.headIds[kind];
    for (const waiter of this.#waiters[kind]) {
      if (waiter.id > headId) continue;
      this.#waiters[kind].delete(waiter);
      waiter.timer[Symbol.dispose]();
      waiter.resolve();
    }
  }
}

function goingDown(): StoreError {
  return new StoreError("unreachable", "the node is going down");
}
