/**
 * The one place where an error becomes a status: how streams end, what the store says, what is wrong with a
 * request. No payload, full topic or query parameter gets into a message.
 */

import { Code, ConnectError } from "@connectrpc/connect";
import type { Close, CloseReason } from "../core/close";
import { StoreError, type StoreFault } from "../store/error";

/** OK has no place among Connect's codes, because it is no error. */
export const OK = 0;

/** A status of gRPC by its number: {@link OK} or one of Connect's codes, which have the same numbers. */
export type StatusCode = typeof OK | Code;

/** A status as it stands in trailers. */
export interface Status {
  readonly code: StatusCode;
  readonly message: string;
}

/**
 * How a stream's end is told. `resumable`: a reconnect from the same cursors can help; the client's table of
 * what to retry mirrors this.
 */
export const STATUS = {
  finished: { code: OK, resumable: false },
  cancelled: { code: Code.Canceled, resumable: true },
  badRequest: { code: Code.InvalidArgument, resumable: false },
  overLimit: { code: Code.ResourceExhausted, resumable: false },
  stalled: { code: Code.Aborted, resumable: true },
  noPong: { code: Code.DeadlineExceeded, resumable: true },
  replayFailed: { code: Code.Unavailable, resumable: true },
  shutdown: { code: Code.Unavailable, resumable: true },
} as const satisfies Record<CloseReason, { readonly code: StatusCode; readonly resumable: boolean }>;

/** How a fault of the store is told to whoever made the call. */
const STORE_STATUS = {
  refused: Code.InvalidArgument,
  full: Code.ResourceExhausted,
  unreachable: Code.Unavailable,
  incompatible: Code.FailedPrecondition,
} as const satisfies Record<StoreFault, Code>;

/** The status with which a stream ends. */
export function statusOfClose(close: Close): Status {
  return { code: STATUS[close.reason].code, message: close.detail };
}

/** A status as an error; `undefined` if it is {@link OK}. */
export function errorOfStatus({ code, message }: Status): ConnectError | undefined {
  return code === OK ? undefined : new ConnectError(message, code);
}

/**
 * Whatever a call threw, as a status. What nobody foresaw is `internal` and says nothing to the peer: its
 * message may hold anything.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof StoreError) {
    return new ConnectError(error.message, STORE_STATUS[error.fault], undefined, undefined, error);
  }
  return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
}

/** Whatever a call threw, as a status for a response that Connect does not write. */
export function statusOfError(error: unknown): Status {
  const { code, rawMessage } = toConnectError(error);
  return { code, message: rawMessage };
}

/** A request that can never be answered as it is. The message names the field, what was wanted and what was found. */
export function invalidArgument(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}

/** A request whose answer would be too large. The message names what was wanted, what was found, and a way out. */
export function resourceExhausted(message: string): ConnectError {
  return new ConnectError(message, Code.ResourceExhausted);
}

/** What would have to be asked cannot be asked now: the same request may go well a moment later, or elsewhere. */
export function unavailable(message: string): ConnectError {
  return new ConnectError(message, Code.Unavailable);
}

/** A method that this node does not serve. Native clients fall back only if it leaves as a Trailers-Only response. */
export function unimplemented(message: string): ConnectError {
  return new ConnectError(message, Code.Unimplemented);
}

/** The name of a code as metrics and logs spell it: `invalid_argument`. */
export function codeName(code: Code): string {
  return Code[code].replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}
