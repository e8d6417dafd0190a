import type { Millis } from "./time";

export interface LivenessOptions {
  /** Silence on the wire, in milliseconds, after which we ask for a sign of life. */
  readonly idleMs: number;
  /** How long a Pong may take, in milliseconds, before the peer counts as gone. */
  readonly pongMs: number;
  /** Nonce of the first Ping; each further one is one higher. */
  readonly firstNonce: bigint;
}

type State =
  /** Nothing is asked; the next Ping is due at `idleAt`. */
  | { readonly kind: "quiet" }
  /** A Ping is out; without its Pong the peer is reaped at `until`. */
  | { readonly kind: "asked"; readonly nonce: bigint; readonly until: Millis }
  /** Half-closed: nobody is asked any more. */
  | { readonly kind: "off" };

const QUIET: State = { kind: "quiet" };

/**
 * Decides when to ping and when silence means that the peer is gone.
 *
 * Time is an argument and nothing is scheduled here: the caller comes back at {@link askAt} and {@link reapAt}.
 * Outbound traffic postpones the next Ping; only the matching Pong disarms the reaper, so a busy stream
 * to a dead peer is still reaped.
 */
export class Liveness {
  readonly #idleMs: Millis;
  readonly #pongMs: Millis;
  #state: State = QUIET;
  #idleAt: Millis;
  #nonce: bigint;

  constructor({ idleMs, pongMs, firstNonce }: LivenessOptions, now: Millis) {
    this.#idleMs = idleMs;
    this.#pongMs = pongMs;
    this.#idleAt = now + idleMs;
    this.#nonce = firstNonce;
  }

  /** When the next Ping is due; `undefined` while one is out, and once stopped. */
  get askAt(): Millis | undefined {
    return this.#state.kind === "quiet" ? this.#idleAt : undefined;
  }

  /** When the peer counts as gone; `undefined` if it owes no Pong. */
  get reapAt(): Millis | undefined {
    return this.#state.kind === "asked" ? this.#state.until : undefined;
  }

  /** A frame left: the silence begins anew. */
  sent(now: Millis): void {
    this.#idleAt = now + this.#idleMs;
  }

  /** The nonce of the Ping that is due now, which the caller sends; `undefined` if none is. */
  ask(now: Millis): bigint | undefined {
    if (this.#state.kind !== "quiet" || now < this.#idleAt) return undefined;
    const nonce = this.#nonce;
    this.#nonce = BigInt.asUintN(64, nonce + 1n);
    this.#state = { kind: "asked", nonce, until: now + this.#pongMs };
    return nonce;
  }

  /** A Pong that answers no open question is ignored: it may be a late one. */
  pong(nonce: bigint): void {
    if (this.#state.kind === "asked" && this.#state.nonce === nonce) this.#state = QUIET;
  }

  /** Whether the peer is gone. Ask only after every frame that has already arrived was handled. */
  isGone(now: Millis): boolean {
    return this.#state.kind === "asked" && now >= this.#state.until;
  }

  /** No more Pings, no reaping. */
  stop(): void {
    this.#state = { kind: "off" };
  }
}
