import type { Mutate } from "../core/frame";
import type { Status } from "./client/grpc";
import type { HeardFrame } from "./client/heard";
import type { Ledger, Tick } from "./ledger";

/** Something that this side sent. */
export interface SentRequest {
  readonly kind: "sent";
  readonly tick: Tick;
  readonly request:
    | { readonly kind: "mutate"; readonly mutate: Mutate }
    | { readonly kind: "ping"; readonly nonce: bigint }
    | { readonly kind: "pong"; readonly nonce: bigint }
    /** Bytes that end the stream. */
    | { readonly kind: "malformed" }
    /** Bytes that mean nothing (R-5b). */
    | { readonly kind: "ignored" }
    | { readonly kind: "halfClose" };
}

export type LogEntry =
  | SentRequest
  | { readonly kind: "heard"; readonly tick: Tick; readonly frame: HeardFrame }
  | { readonly kind: "ended"; readonly tick: Tick; readonly status: Status };

/** Everything that went over one stream, in the order in which this side saw it. */
export class StreamLog {
  readonly #ledger: Ledger;
  readonly #entries: LogEntry[] = [];
  /** Whether the case goes beyond limits, which servers choose for themselves: RESOURCE_EXHAUSTED is a right end then. */
  mayExceedLimits = false;
  /** Whether every Ping of the server has been answered so far. */
  answersAll = true;

  /** Whether the case publishes by the same connection. Another one may lead to another process of the server. */
  readonly ownConnection: boolean;

  constructor(ledger: Ledger, ownConnection: boolean) {
    this.#ledger = ledger;
    this.ownConnection = ownConnection;
  }

  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  sent(request: SentRequest["request"]): void {
    this.#entries.push({ kind: "sent", tick: this.#ledger.next(), request });
  }

  heard(frame: HeardFrame): void {
    this.#entries.push({ kind: "heard", tick: this.#ledger.next(), frame });
  }

  ended(status: Status): void {
    this.#entries.push({ kind: "ended", tick: this.#ledger.next(), status });
  }
}
