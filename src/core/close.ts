/** Every way a stream can end. Adding one does not compile until the edge maps it to a status. */
export type CloseReason =
  /** Half-closed and drained. */
  | "finished"
  /** The peer went away; nobody is left to be told. */
  | "cancelled"
  /** */
  | "badRequest"
  /** A limit of R-49. */
  | "overLimit"
  /** The peer read nothing at all for the stall deadline. */
  | "stalled"
  /** No matching Pong within one interval. */
  | "noPong"
  /** The store could not be read, after retries. */
  | "replayFailed"
  /** The node is going down. */
  | "shutdown";

/** How a stream ended. `detail` is for the peer: what was wanted, what was found, what to do. */
export interface Close {
  readonly reason: CloseReason;
  readonly detail: string;
}
