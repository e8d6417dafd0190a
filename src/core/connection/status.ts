/** How the ends of a stream are read by the client: the twin of the server's table in protocol.md, "How a stream ends". */

/** The statuses of gRPC, in the order of their numbers. */
export const STATUS_NAMES = [
  "ok",
  "cancelled",
  "unknown",
  "invalidArgument",
  "deadlineExceeded",
  "notFound",
  "alreadyExists",
  "permissionDenied",
  "resourceExhausted",
  "failedPrecondition",
  "aborted",
  "outOfRange",
  "unimplemented",
  "internal",
  "unavailable",
  "dataLoss",
  "unauthenticated",
] as const;

export type StatusName = (typeof STATUS_NAMES)[number];

/**
 * Whether opening a new stream from the same cursors can help.
 *
 * What a node never says by itself comes from proxies and broken transports: resumable where trying again
 * is the only cure, not where the answer cannot change.
 */
export const RESUMABLE: Readonly<Record<StatusName, boolean>> = {
  /** We did not half-close: a node or proxy that goes away politely. */
  ok: true,
  cancelled: true,
  unknown: true,
  invalidArgument: false,
  deadlineExceeded: true,
  notFound: false,
  alreadyExists: false,
  permissionDenied: false,
  resourceExhausted: false,
  failedPrecondition: false,
  aborted: true,
  outOfRange: false,
  unimplemented: false,
  internal: true,
  unavailable: true,
  dataLoss: true,
  unauthenticated: false,
};

/** The name of a gRPC status number; one that nobody knows is `unknown`. */
export function statusName(code: number): StatusName {
  return STATUS_NAMES[code] ?? "unknown";
}
