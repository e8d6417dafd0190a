import type { Clock } from "../../../src/base/clock";
import type { Broken } from "./faults";

export interface HeartbeatParts {
  readonly broken: Broken;
  readonly clock: Clock;
  readonly keepaliveMs: number;
  ask(nonce: bigint): void;
  reap(): void;
  /** Whether what was sent has not gone out: then silence is not ours to break. */
  isBlocked(): boolean;
}

/** Asks after an interval of silence, and gives up after another one without the answer. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  #sentAt: number;
  #nonce = 0n;
  /** The question that is open. */
  #asked: bigint | undefined;
  #stopped = false;
  #idleTimer: Disposable | undefined;
  #reapTimer: Disposable | undefined;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#sentAt = parts.clock.now();
    this.#waitForSilence();
  }

  /** Something was sent. */
  sent(): void {
    this.#sentAt = this.#parts.clock.now();
  }

  /** Something was received. */
  received(): void {
    if (this.#parts.broken("received-frames-postpone-pings")) this.sent();
  }

  answered(nonce: bigint): void {
    const { broken } = this.#parts;
    if (broken("reaps-although-answered")) return;
    if (this.#asked === undefined || (nonce !== this.#asked && !broken("any-pong-counts"))) return;
    this.#asked = undefined;
    this.#reapTimer?.[Symbol.dispose]();
  }

  stop(): void {
    this.#stopped = true;
    this.#idleTimer?.[Symbol.dispose]();
    this.#reapTimer?.[Symbol.dispose]();
  }

  #waitForSilence(): void {
    if (this.#stopped) return;
    const { clock, keepaliveMs, isBlocked } = this.#parts;
    const leftMs = this.#sentAt + keepaliveMs - clock.now();
    if (leftMs <= 0 && this.#asked === undefined && !isBlocked()) this.#ask();
    this.#idleTimer = clock.after(leftMs > 0 ? leftMs : keepaliveMs, () => this.#waitForSilence());
  }

  #ask(): void {
    const { broken, clock, keepaliveMs, ask, reap } = this.#parts;
    if (broken("never-pings")) return;
    this.#nonce += 1n;
    this.#asked = this.#nonce;
    ask(this.#nonce);
    if (!broken("never-reaps")) this.#reapTimer = clock.after(keepaliveMs, reap);
  }
}
