import type { Objection } from "../../src/conformance/checker/subscription-model";
import { violate } from "../../src/conformance/checker/violation";
import type { CloseReason } from "../../src/core/close";
import type { Frame } from "../../src/core/frame";
import type { Millis } from "../../src/core/time";

/** Says when a stream must ping, when it may give up on its peer, and when it must ask to be woken. */
export class LivenessOracle {
  readonly #keepaliveMs: number | undefined;
  readonly #stallMs: number;
  #sentAt: Millis;
  #wokenAt: Millis;
  #asked: { readonly nonce: bigint; readonly at: Millis } | undefined;
  /** When the wire became full or took some bytes last; `undefined` while it has room. */
  #stuckAt: Millis | undefined;
  readonly #nonces = new Set<bigint>();
  #halfClosed = false;

  constructor(keepaliveMs: number | undefined, stallMs: number, now: Millis) {
    this.#keepaliveMs = keepaliveMs;
    this.#stallMs = stallMs;
    this.#sentAt = now;
    this.#wokenAt = now;
  }

  /** The nonce of the Ping that waits for its Pong. */
  get asked(): bigint | undefined {
    return this.#asked?.nonce;
  }

  /** a Ping only after an interval of silence, one at a time. */
  frame(frame: Frame, now: Millis): void {
    if (frame.kind === "ping") {
      if (this.#keepaliveMs === undefined) violate("R-42", "a Ping on a stream that has none");
      if (now - this.#sentAt < this.#keepaliveMs) violate("R-42", `a Ping after only ${now - this.#sentAt} ms`);
      if (this.#asked !== undefined) violate("R-43", "a second Ping while the first is unanswered");
      if (this.#nonces.has(frame.nonce)) violate("R-43", `the nonce ${frame.nonce} again: a stale Pong would count`);
      this.#nonces.add(frame.nonce);
      this.#asked = { nonce: frame.nonce, at: now };
    }
    this.#sentAt = now;
  }

  pong(nonce: bigint): void {
    if (nonce === this.#asked?.nonce) this.#asked = undefined;
  }

  blocked(now: Millis): void {
    this.#stuckAt = now;
  }

  flushed(): void {
    this.#stuckAt = undefined;
  }

  halfClosed(): void {
    this.#halfClosed = true;
  }

  /** The stream ended: a peer is given up only for what it really failed to do (I10, R-45). */
  ended(reason: CloseReason, now: Millis): void {
    const due = this.#endDue(reason);
    if (reason === "noPong" && (due === undefined || now < due)) {
      violate("I10", `reaped at ${now}, with the Ping of ${this.#asked?.at ?? "never"} allowed until ${due ?? "ever"}`);
    }
    if (reason === "stalled" && (due === undefined || now < due)) {
      violate("stall", `given up at ${now} as stalled, allowed until ${due ?? "ever"}`);
    }
  }

  /** The session was woken and is not over: nobody may be left whose time is up. */
  woken(now: Millis): void {
    this.#wokenAt = now;
    for (const reason of ["noPong", "stalled"] as const) {
      const due = this.#endDue(reason);
      if (due !== undefined && now >= due) violate("R-43", `woken at ${now}, but not over as ${reason} since ${due}`);
    }
  }

  /** Everything the session had to say was taken, or its wire is full. */
  idle(deadline: Millis | undefined, now: Millis): void {
    const pingAt = this.#pingDue();
    if (pingAt !== undefined && pingAt <= this.#wokenAt) violate("R-42", `no Ping at ${now}, due since ${pingAt}`);
    if (deadline !== undefined && deadline <= this.#wokenAt) {
      violate("seam", `woken at ${now}, but the deadline is still ${deadline}: the runner would spin`);
    }
    for (const due of [pingAt, this.#endDue("noPong"), this.#endDue("stalled")]) {
      if (due !== undefined && (deadline === undefined || deadline > due)) {
        violate("R-42", `the deadline is ${deadline ?? "never"}, but something is due at ${due}`);
      }
    }
  }

  /** When a Ping must leave, if nothing else does. */
  #pingDue(): Millis | undefined {
    if (this.#keepaliveMs === undefined || this.#halfClosed) return undefined;
    if (this.#asked !== undefined || this.#stuckAt !== undefined) return undefined;
    return this.#sentAt + this.#keepaliveMs;
  }

  #endDue(reason: CloseReason): Millis | undefined {
    if (reason === "stalled") return this.#stuckAt === undefined ? undefined : this.#stuckAt + this.#stallMs;
    if (this.#keepaliveMs === undefined || this.#halfClosed || this.#asked === undefined) return undefined;
    return this.#asked.at + this.#keepaliveMs;
  }
}

/** Differences in tokens that are a matter of rounding. */
const ROUNDING = 1e-6;

/** A token bucket, full at first. */
export class RateOracle {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: Millis;

  constructor(perSecond: number, burst: number, now: Millis) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes one token. What is a matter of rounding is left open. */
  take(now: Millis): readonly Objection[] {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#perSecond) / 1_000);
    this.#at = now;
    const missing = 1 - this.#tokens;
    if (missing > ROUNDING) return [{ rule: "R-49 rate", reason: "overLimit", certain: true }];
    this.#tokens = Math.max(0, this.#tokens - 1);
    const isClear = missing === 0 || missing < -ROUNDING;
    return isClear ? [] : [{ rule: "R-49 rate", reason: "overLimit", certain: false }];
  }
}
