import type { Kind, Topic } from "./topic";

/**
 * One message on its way from the store to streams.
 *
 * It is encoded once per process and shared by every stream that delivers it: nobody changes it.
 */
export interface Message {
  readonly kind: Kind;
  /** Position in the kind's sequence: above 0, ascending in commit order, without holes. */
  readonly id: bigint;
  readonly topic: Topic;
  /**
   * The message as one entry of a delivery frame's repeated field: field tag, length, encoded message.
   * Opaque to the core, which only counts its bytes.
   */
  readonly entry: Uint8Array;
}
