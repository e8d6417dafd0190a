import { InvariantChecker } from "../../src/conformance/checker/invariants";
import type { Truth } from "../../src/conformance/truth";
import type { CloseReason } from "../../src/core/close";
import type { StatusName } from "../../src/core/connection/status";
import type { Mutate } from "../../src/core/frame";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import type { Message } from "../../src/core/message";
import type { Effect, ReplayId, SessionEvent } from "../../src/core/session/events";
import { Session } from "../../src/core/session/session";
import type { Offset } from "../../src/core/tail";
import type { Topic } from "../../src/core/topic";
import type { ModelTail } from "../fuzz/model-tail";
import { ReplayServer } from "../fuzz/replays";
import { AccountAudit } from "../support/account-audit";
import type { Prng } from "../support/prng";
import type { VirtualClock } from "../support/virtual-clock";
import type { Link, Upward } from "./link";

export const KEEPALIVE_MS = 1_000;
export const STALL_MS = 4_000;
const MAX_PAGE_ROWS = 20;
const MAX_PAGE_MS = 40;

/** What a stream uses of its node. */
export interface Around {
  readonly clock: VirtualClock;
  readonly random: Prng;
  readonly truth: Truth;
  readonly stored: readonly Message[];
  readonly tail: ModelTail;
}

export interface NodeDuties {
  /** Looks at the store once more, then calls back. */
  readonly look: (done: () => void) => void;
  readonly over: () => void;
}

/** How the ends of a stream look to the peer, as protocol.md has it; a cancelled one has nobody left to be told. */
const STATUS: Readonly<Record<CloseReason, StatusName>> = {
  finished: "ok",
  cancelled: "cancelled",
  badRequest: "invalidArgument",
  overLimit: "resourceExhausted",
  stalled: "aborted",
  noPong: "deadlineExceeded",
  replayFailed: "unavailable",
  shutdown: "unavailable",
};

/** One stream at its node: the real session, its runner, its part of hub and replayer, and a check of every frame. */
export class ServedStream {
  readonly #around: Around;
  readonly #link: Link;
  readonly #duties: NodeDuties;
  readonly #session: Session;
  readonly #checker: InvariantChecker;
  readonly #replays: ReplayServer;
  readonly #audit = new AccountAudit();
  readonly #watched = new Set<Topic>();
  readonly #looks = new Map<ReplayId, bigint>();
  #timer: Disposable | undefined;
  #isBlocked = false;

  constructor(around: Around, link: Link, duties: NodeDuties) {
    this.#around = around;
    this.#link = link;
    this.#duties = duties;
    const { random, tail, truth, stored, clock } = around;
    const limits = {
      ...DEFAULT_LIMITS,
      dueOffsets: random.pick([2, 8, 1_000]),
      targetFrameBytes: random.pick([1, 25, 1_000]),
    };
    this.#replays = new ReplayServer(stored);
    this.#checker = new InvariantChecker(truth, limits, KEEPALIVE_MS);
    this.#session = new Session({ tail, limits, keepaliveMs: KEEPALIVE_MS, stallMs: STALL_MS }, clock.now());
    link.attach(this);
  }

  get isOver(): boolean {
    return this.#session.over !== undefined;
  }

  begin(): void {
    this.#pump();
  }

  receive(request: Upward): void {
    switch (request.kind) {
      case "mutate":
        this.#mutate(request.mutate);
        break;
      case "ping":
        this.#checker.pinged(request.nonce);
        this.#push(request);
        break;
      case "pong":
        this.#push(request);
        break;
      case "halfClose":
        this.#checker.halfClose();
        this.#push({ kind: "halfClosed" });
        break;
      case "cancel":
        this.#push({ kind: "cancelled" });
        break;
      default:
        request satisfies never;
    }
  }

  /** The client read something. */
  taken(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = !this.#link.hasRoom;
    this.#push({ kind: this.#isBlocked ? "progress" : "flushed" });
  }

  offer(messages: readonly (readonly [Offset, Topic])[]): void {
    const offsets = messages.filter(([, topic]) => this.#watched.has(topic)).map(([offset]) => offset);
    if (offsets.length > 0) this.#push({ kind: "offers", offsets });
  }

  shutDown(): void {
    this.#push({ kind: "shutdown" });
  }

  failReplays(): void {
    for (const replay of this.#replays.reading) this.#push(this.#replays.fail(replay));
  }

  #mutate(mutate: Mutate): void {
    if (this.isOver) return;
    this.#session.handle({ kind: "mutate", mutate }, this.#around.clock.now());
    const { over } = this.#session;
    if (over !== undefined) throw new Error(`the node refused a Mutate: ${over.detail}`);
    this.#checker.accepted(mutate);
    this.#pump(mutate.id);
  }

  #push(event: SessionEvent): void {
    if (this.#session.over !== undefined) return;
    this.#session.handle(event, this.#around.clock.now());
    this.#audit.check(this.#session.account);
    this.#pump();
  }

  /** Effects, then as many frames as the link has room for, then the timer: what a runner does in a turn. */
  #pump(mutateId?: bigint): void {
    const now = this.#around.clock.now();
    this.#carryOut(this.#session.takeEffects(), mutateId);
    while (!this.#isBlocked) {
      const frame = this.#session.nextFrame(now);
      if (frame !== undefined) this.#audit.frame(frame);
      this.#audit.check(this.#session.account);
      this.#carryOut(this.#session.takeEffects());
      if (frame === undefined) break;
      this.#checker.frame(frame);
      this.#link.down(frame);
      if (this.#link.hasRoom || this.#session.over !== undefined) continue;
      this.#isBlocked = true;
      this.#session.handle({ kind: "blocked" }, now);
    }
    this.#timer?.[Symbol.dispose]();
    const { deadline } = this.#session;
    if (deadline === undefined) return;
    this.#timer = this.#around.clock.after(Math.max(0, deadline - now), () => this.#push({ kind: "wake" }));
  }

  #carryOut(effects: readonly Effect[], mutateId?: bigint): void {
    for (const effect of effects) this.#effect(effect, mutateId);
  }

  #effect(effect: Effect, mutateId: bigint | undefined): void {
    switch (effect.kind) {
      case "watch":
        for (const topic of effect.topics) this.#watched.add(topic);
        break;
      case "unwatch":
        for (const topic of effect.topics) this.#watched.delete(topic);
        break;
      case "look":
        this.#replays.look(effect.replay);
        if (mutateId !== undefined) this.#looks.set(effect.replay, mutateId);
        this.#duties.look(() => this.#looked(effect.replay));
        break;
      case "startReplay":
        this.#replays.start(effect.replay, effect.scope);
        this.#pageLater(effect.replay);
        break;
      case "nextPage":
        this.#replays.next(effect.replay);
        this.#pageLater(effect.replay);
        break;
      case "cancelReplay":
        this.#replays.cancel(effect.replay);
        break;
      case "close":
        this.#checker.ended(effect.close.reason);
        this.#replays.stop();
        this.#link.down({ kind: "ended", status: STATUS[effect.close.reason] });
        this.#duties.over();
        break;
      default:
        effect satisfies never;
    }
  }

  #looked(replay: ReplayId): void {
    if (!this.#replays.looking.includes(replay)) return;
    const mutateId = this.#looks.get(replay);
    if (mutateId !== undefined) this.#checker.pinned(mutateId);
    this.#push(this.#replays.looked(replay));
  }

  #pageLater(replay: ReplayId): void {
    const { clock, random } = this.#around;
    clock.after(random.int(MAX_PAGE_MS), () => {
      if (!this.#replays.reading.includes(replay)) return;
      this.#push(this.#replays.page(replay, random.between(1, MAX_PAGE_ROWS), random));
    });
  }
}
