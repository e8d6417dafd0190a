import { Alarms } from "../../base/alarms";
import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import { stackOf } from "../../base/thrown";
import type { CloseReason } from "../../core/close";
import type { StreamLimits } from "../../core/limits";
import type { SessionAccount } from "../../core/session/account";
import type { SessionOptions } from "../../core/session/session";
import type { Feed } from "../../feed/types";
import { Turns } from "./turn";
import { UnsentBytes } from "./unsent-bytes";

/** How a stream ended, for logs and metrics. */
export type StreamOutcome =
  | CloseReason
  /** What the peer sent could not be taken apart into messages, or not be read for another reason of the transport. */
  | "refused"
  /** A fault of ours. */
  | "crashed";

/** What is counted about streams. */
export interface StreamMetrics {
  streamOpened(rpc: string): void;
  streamEnded(rpc: string, outcome: StreamOutcome, account: SessionAccount): void;
  /** A request of a type that this node does not know (R-5b). */
  requestIgnored(rpc: string): void;
}

/** Counts nothing. */
export const noStreamMetrics: StreamMetrics = {
  streamOpened: () => {},
  streamEnded: () => {},
  requestIgnored: () => {},
};

/** What is decided once for all streams of a process. */
export interface StreamHostParts {
  readonly feed: Feed;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: StreamMetrics;
  readonly limits: StreamLimits;
  /** Silence after which a client is pinged, and how long its Pong may take, in milliseconds. */
  readonly keepaliveMs: number;
  /** How long a client may take nothing at all of what waits for it, in milliseconds. */
  readonly stallMs: number;
  /** How late a Ping or the end of a stream may be, in milliseconds, so that several share a write: 250 unless told. */
  readonly grainMs?: number;
  /** Bytes that may be encoded and wait for their readers, of all streams together, about: 128 MiB unless told. */
  readonly unsentBytes?: number;
}

/** A Ping leaves within the interval + at most 1 s. */
const GRAIN_MS = 250;
const UNSENT_BYTES = 128 * 1024 * 1024;

/** What all streams of a process share. */
export interface StreamHost extends StreamHostParts {
  /** What a session is opened with whose client speaks Ping and Pong … */
  readonly withPings: SessionOptions;
  /** … and one whose client does not. */
  readonly withoutPings: SessionOptions;
  readonly alarms: Alarms;
  readonly turns: Turns;
  readonly streams: StreamRegistry;
  readonly unsent: UnsentBytes;
}

/** One per process: its streams take turns with each other. */
export function createStreamHost(parts: StreamHostParts): StreamHost {
  const onError = (error: unknown) => parts.log.error("turn failed", { error: `${error}`, stack: stackOf(error) });
  const { limits, keepaliveMs, stallMs } = parts;
  const withPings: SessionOptions = { tail: parts.feed.tail, limits, keepaliveMs, stallMs };
  const withoutPings: SessionOptions = { ...withPings, keepaliveMs: undefined };
  const alarms = new Alarms(parts.clock, parts.grainMs ?? GRAIN_MS);
  const unsent = new UnsentBytes(parts.unsentBytes ?? UNSENT_BYTES);
  const streams = new StreamRegistry();
  return { ...parts, withPings, withoutPings, alarms, turns: new Turns(onError), streams, unsent };
}

/** A stream as its registry sees it. */
export interface RegisteredStream {
  readonly rpc: string;
  /** How it came in: `grpc`, `connect`, … */
  readonly protocol: string;
  /** On the clock of its host. */
  readonly openedAt: number;
  readonly account: SessionAccount;
  /** Ends the stream with `shutdown`, if it has not ended. */
  shutdown(): void;
}

/** All streams of a process that have not been let go of. */
export class StreamRegistry {
  readonly #streams = new Map<number, RegisteredStream>();
  #lastId = 0;
  #shutDown = false;

  get size(): number {
    return this.#streams.size;
  }

  /** Adds a stream and gives it its number, for logs and the operator; ended at once while shutting down. */
  add(stream: RegisteredStream): number {
    this.#lastId++;
    this.#streams.set(this.#lastId, stream);
    if (this.#shutDown) queueMicrotask(() => stream.shutdown());
    return this.#lastId;
  }

  remove(id: number): void {
    this.#streams.delete(id);
  }

  entries(): Iterable<readonly [number, RegisteredStream]> {
    return this.#streams;
  }

  /** Ends all streams, and those that are still to come. */
  shutdown(): void {
    this.#shutDown = true;
    for (const stream of [...this.#streams.values()]) stream.shutdown();
  }
}
