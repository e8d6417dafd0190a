import type { Message } from "./message";
import type { PerKind } from "./topic";

/**
 * Where a message stands in this process's tail: 1, 2, 3 … in the order in which messages were appended.
 * Offsets are local to the process and never leave it. Per kind, a higher offset is a higher id.
 */
export type Offset = number;

/** What a session may ask of the tail. */
export interface TailView {
  /** Offset of the newest message ever appended; 0 before the first. */
  readonly head: Offset;
  /** The message at an offset, or `undefined` if it has left the tail (or never was). */
  get(offset: Offset): Message | undefined;
  /** Per kind, the newest id this process has seen: everything up to it is either in the store or in the tail. */
  readonly headIds: PerKind<bigint>;
}
