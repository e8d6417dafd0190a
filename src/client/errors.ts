import { ConnectError } from "@connectrpc/connect";
import { codeOf } from "../base/thrown";
import type { Loss } from "../core/connection/events";
import { RESUMABLE, type StatusName, statusName } from "../core/connection/status";

/** What a node, or the way to it, answered instead of what was asked for. */
export class NodeError extends Error {
  readonly status: StatusName;

  constructor({ status, detail }: Loss, cause?: unknown) {
    super(`${status}: ${detail}`, { cause });
    this.name = "NodeError";
    this.status = status;
  }

  /** Whether asking again later may help. */
  get retryable(): boolean {
    return RESUMABLE[this.status] || this.status === "resourceExhausted";
  }

  /** Whether nobody was there, or the way there broke. */
  get unreachable(): boolean {
    return this.status === "unavailable";
  }
}

/** What an error of the transport says about the end of a call. */
export function lossOf(error: unknown): Loss {
  const { code, rawMessage, cause } = ConnectError.from(error);
  if (isDistrust(cause)) {
    const todo = "name the PEM file of its authority in NODE_EXTRA_CA_CERTS";
    return { status: "unavailable", detail: `the node's certificate is not trusted (${rawMessage}); ${todo}` };
  }
  return { status: statusName(code), detail: rawMessage };
}

/** Whether a handshake ended because of the node's certificate. To Connect that is an internal error. */
function isDistrust(cause: unknown): boolean {
  return /CERT|SIGNATURE|ISSUER/.test(codeOf(cause) ?? "");
}

/** The same as an error to throw. */
export function nodeErrorOf(error: unknown): NodeError {
  return new NodeError(lossOf(error), error);
}
