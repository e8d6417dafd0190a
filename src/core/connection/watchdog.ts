import type { Millis } from "../time";

/** The widest cadence a server may announce, and what one that announces none is taken for. */
const MAX_KEEPALIVE_MS = 30_000;
const MIN_KEEPALIVE_MS = 100;

/** The cadence to believe in when a server announces this one: nonsense must neither disarm the watchdog nor make it frantic. */
export function intervalOf(announcedMs: Millis): Millis {
  return announcedMs === 0 ? MAX_KEEPALIVE_MS : Math.min(Math.max(announcedMs, MIN_KEEPALIVE_MS), MAX_KEEPALIVE_MS);
}

export interface WatchdogOptions {
  /** The server's Ping cadence, from Started. */
  readonly intervalMs: Millis;
  /** How long the answer to a probe may take. */
  readonly probeMs: Millis;
}

type State =
  | { readonly kind: "quiet"; readonly until: Millis }
  /** Silence made us ask: any frame is an answer. */
  | { readonly kind: "asked"; readonly until: Millis }
  /** Only the matching Pong is an answer: other frames may have been on their way before the machine slept. */
  | { readonly kind: "probing"; readonly nonce: bigint; readonly until: Millis }
  | { readonly kind: "paused" };

/**
 * Decides when a server's silence means that it is gone (C-2).
 *
 * A live server is never silent for longer than its Ping cadence. After two intervals without any frame we
 * ask, after three we give up. Time is an argument: the caller wakes this object at {@link deadline}.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  #state: State;

  constructor(options: WatchdogOptions, now: Millis) {
    this.#options = options;
    this.#state = this.#quiet(now);
  }

  get deadline(): Millis | undefined {
    return this.#state.kind === "paused" ? undefined : this.#state.until;
  }

  /** A frame came. */
  heard(now: Millis): void {
    if (this.#state.kind === "quiet" || this.#state.kind === "asked") this.#state = this.#quiet(now);
  }

  /** A Pong came, which is a frame as well. */
  pong(nonce: bigint, now: Millis): void {
    if (this.#state.kind === "probing" && this.#state.nonce === nonce) this.#state = this.#quiet(now);
    else this.heard(now);
  }

  /** A Ping with this nonce goes out now; if it stays unanswered, the server is gone (C-6). */
  probe(nonce: bigint, now: Millis): void {
    if (this.#state.kind === "paused") return;
    this.#state = { kind: "probing", nonce, until: now + this.#options.probeMs };
  }

  /** Nothing is being read: silence means nothing. */
  pause(): void {
    this.#state = { kind: "paused" };
  }

  /** Frames are read again: the silence counts from now. */
  unpause(now: Millis): void {
    if (this.#state.kind === "paused") this.#state = this.#quiet(now);
  }

  /** What to do at this moment: send a Ping, give the server up, replace the stream at once, or nothing. */
  wake(now: Millis): "ask" | "giveUp" | "replace" | undefined {
    if (this.#state.kind === "paused" || now < this.#state.until) return undefined;
    if (this.#state.kind === "probing") return "replace";
    if (this.#state.kind === "asked") return "giveUp";
    this.#state = { kind: "asked", until: now + this.#options.intervalMs };
    return "ask";
  }

  #quiet(now: Millis): State {
    return { kind: "quiet", until: now + 2 * this.#options.intervalMs };
  }
}
