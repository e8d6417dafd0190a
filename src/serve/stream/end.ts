import { Code } from "@connectrpc/connect";
import type { Close } from "../../core/close";
import { type Status, statusOfClose } from "../errors";
import type { StreamOutcome } from "./host";

/** How a stream ended. */
export type StreamEnd =
  | { readonly kind: "closed"; readonly close: Close }
  /** The transport ended it: what was sent could not even be taken apart, or took too long. */
  | { readonly kind: "refused"; readonly status: Status }
  /** A fault of ours; the log has it. */
  | { readonly kind: "crashed" };

/** What the peer is told. */
export function statusOfEnd(end: StreamEnd): Status {
  switch (end.kind) {
    case "closed":
      return statusOfClose(end.close);
    case "refused":
      return end.status;
    case "crashed":
      return { code: Code.Internal, message: "internal error" };
  }
}

/**
 * What the log and the metrics are told. `delivered`: whether the end reached the network as intended; a good end
 * that did not is none, because nobody was told OK.
 */
export function outcomeOfEnd(end: StreamEnd | undefined, delivered: boolean): StreamOutcome {
  if (end === undefined) return "cancelled";
  if (end.kind !== "closed") return end.kind;
  return end.close.reason === "finished" && !delivered ? "cancelled" : end.close.reason;
}

/** The words that go with it. */
export function detailOfEnd(end: StreamEnd | undefined): string | undefined {
  if (end?.kind === "closed") return end.close.detail;
  return end?.kind === "refused" ? end.status.message : undefined;
}
