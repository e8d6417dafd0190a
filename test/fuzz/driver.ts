import { InvariantChecker } from "../../src/conformance/checker/invariants";
import { violate } from "../../src/conformance/checker/violation";
import type { Close, CloseReason } from "../../src/core/close";
import type { Frame, Mutate } from "../../src/core/frame";
import type { Effect, ReplayId, SessionEvent } from "../../src/core/session/events";
import type { Millis } from "../../src/core/time";
import { isTopic } from "../../src/core/topic";
import { AccountAudit } from "../support/account-audit";
import type { Prng } from "../support/prng";
import { FrameOracle } from "./frame-oracle";
import { LivenessOracle, RateOracle } from "./liveness-oracle";
import type { Scenario } from "./scenario";
import type { MakeSession, SessionLike } from "./session-like";
import { showEffect, showEvent, showFrame } from "./show";
import { World } from "./world";

/** More frames than any run can need in one go: beyond it the session would never fall silent. */
const MAX_FRAMES_PER_DRAIN = 20_000;
/** More offsets than any run can have due. */
const ROOMY_OFFSETS = 1_000;

/**
 * Drives one session as its runner, feed and peer would, under virtual time, and checks after each move what can
 * be seen from outside (`InvariantChecker`) and what only its surroundings can see: effects, deadlines, and where
 * the messages of a frame were kept (I7, I9, I10, I11, I12).
 */
export class Driver {
  readonly world: World;
  readonly checker: InvariantChecker;
  readonly liveness: LivenessOracle;
  readonly #scenario: Scenario;
  readonly #session: SessionLike;
  readonly #mutateRate: RateOracle;
  readonly #pingRate: RateOracle;
  readonly #trace: string[] | undefined;
  /** The history_only Mutate behind each look. */
  readonly #looks = new Map<ReplayId, bigint>();
  /** Replays that began with a Mutate or its look: first scans of waves, which hold up nobody else's live lane. */
  readonly #firstScans = new Set<ReplayId>();
  readonly #frames: FrameOracle;
  readonly #audit = new AccountAudit();
  #now: Millis = 0;
  #blocked = false;
  #closed: Close | undefined;

  /** `trace`: takes a line for everything that happens, for whoever reads a failure. */
  constructor(make: MakeSession, scenario: Scenario, random: Prng, trace: string[] | undefined) {
    const { limits, keepaliveMs, stallMs } = scenario;
    this.#scenario = scenario;
    this.#trace = trace;
    this.world = new World(scenario.tailCapacity);
    for (let i = 0; i < scenario.prefill; i++) this.#insertOne(random);
    this.world.append(random.int(scenario.prefill + 1));
    this.checker = new InvariantChecker(this.world.truth, limits, keepaliveMs);
    this.liveness = new LivenessOracle(keepaliveMs, stallMs, this.#now);
    this.#mutateRate = new RateOracle(limits.mutatesPerSecond, limits.mutateBurst, this.#now);
    this.#pingRate = new RateOracle(limits.pingsPerSecond, limits.pingBurst, this.#now);
    this.#frames = new FrameOracle(limits.targetFrameBytes, this.world);
    this.#session = make({ tail: this.world.tail, limits, keepaliveMs, stallMs }, this.#now);
  }

  get now(): Millis {
    return this.#now;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  get deadline(): Millis | undefined {
    return this.#session.deadline;
  }

  get over(): CloseReason | undefined {
    return this.#session.over?.reason;
  }

  /** Stores `count` messages in random topics. */
  insert(count: number, random: Prng): void {
    for (let i = 0; i < count; i++) this.#insertOne(random);
  }

  /** The tailer finds up to `rows` messages; `all`: the hub offers also what nobody watches. */
  append(rows: number, all = false): void {
    const head = this.world.tail.head;
    const watched = this.world.append(rows);
    const added = this.world.tail.head - head;
    const offsets = all ? Array.from({ length: added }, (_, i) => head + 1 + i) : watched;
    if (offsets.length === 0) return;
    this.send({ kind: "offers", offsets });
    offsets.fill(-1); // the array is the hub's: who kept it is caught
  }

  /** Hands a Mutate to the session and holds it to the rules. */
  mutate(mutate: Mutate): void {
    if (this.over !== undefined) return;
    const others = this.#mutateRate.take(this.#now);
    const effects = this.#handle({ kind: "mutate", mutate });
    if (this.over === "badRequest" || this.over === "overLimit") {
      const trace = effects.find(({ kind }) => kind === "watch" || kind === "look" || kind === "startReplay");
      if (trace !== undefined) violate("I7", `a refused Mutate left the effect ${trace.kind}`);
      this.checker.refused(mutate, this.over, others);
    } else if (this.over === undefined) {
      this.checker.accepted(mutate, others);
    } else {
      this.#checkEnd("mutate");
    }
    for (const replay of this.#carryOutFirst(effects)) this.#looks.set(replay, mutate.id);
    this.#checkWatched();
  }

  /** A Ping of the client. */
  ping(nonce: bigint): void {
    if (this.over !== undefined) return;
    const [objection] = this.#pingRate.take(this.#now);
    this.send({ kind: "ping", nonce });
    if (this.over === undefined) this.checker.pinged(nonce);
    if (this.over === "overLimit" && objection === undefined) violate("R-49", "a Ping was refused below the rate");
    if (this.over === undefined && objection?.certain) violate("R-49 rate", "a Ping above the rate was accepted");
  }

  /** The look that a history_only Mutate waits for is done; the wave's ceiling is pinned now. */
  looked(replay: ReplayId): void {
    this.append(this.world.unseen);
    if (this.over !== undefined) return;
    const mutateId = this.#looks.get(replay);
    if (mutateId !== undefined) this.checker.pinned(mutateId);
    this.send(this.world.replays.looked(replay));
  }

  /** Something that must change nothing: no effect and no end (I9). */
  sendStale(event: SessionEvent): void {
    const before = this.over;
    const effects = this.#handle(event);
    if (effects.length > 0) violate("I9", `a stale ${event.kind} led to the effect ${effects[0]?.kind}`);
    if (this.over !== before) violate("I9", `a stale ${event.kind} ended the stream as ${this.over}`);
  }

  /** Hands over any other event, and carries out what the session asks for. */
  send(event: SessionEvent): void {
    const before = this.over;
    if (event.kind === "pong") this.liveness.pong(event.nonce);
    if (event.kind === "halfClosed" && before === undefined) {
      this.checker.halfClose();
      this.liveness.halfClosed();
    }
    const effects = this.#handle(event);
    if (before === undefined) this.#checkEnd(event.kind);
    if (event.kind === "looked") this.#carryOutFirst(effects);
    else this.#carryOut(effects);
    if (event.kind === "halfClosed" && this.over === undefined && this.checker.owed() === undefined) {
      violate("R-46", "half-closed with nothing in flight, but the stream is not over at once");
    }
  }

  /** Wakes the session, as late as it is, and lets it say what it has to say. */
  wake(): void {
    this.send({ kind: "wake" });
    if (this.over === undefined) this.liveness.woken(this.#now);
    this.drain();
  }

  passTo(now: Millis): void {
    this.#now = Math.max(this.#now, now);
    this.#trace?.push(`at ${this.#now} ms`);
  }

  block(): void {
    if (this.#blocked || this.over !== undefined) return;
    this.#blocked = true;
    this.liveness.blocked(this.#now);
    this.send({ kind: "blocked" });
  }

  progress(): void {
    if (!this.#blocked) return;
    this.liveness.blocked(this.#now);
    this.send({ kind: "progress" });
  }

  flush(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.liveness.flushed();
    this.send({ kind: "flushed" });
  }

  /** Takes up to `most` frames. Returns whether the session had no more to say. */
  pull(most: number): boolean {
    for (let taken = 0; taken < most; taken++) {
      if (taken === MAX_FRAMES_PER_DRAIN) violate("driver", "the session never falls silent");
      this.world.tail.handedOut.clear();
      const before = this.over;
      const frame = this.#session.nextFrame(this.#now);
      if (frame !== undefined) this.#checkFrame(frame);
      this.#audit.check(this.#session.account);
      const effects = this.#session.takeEffects();
      if (before === undefined) this.#checkEnd("nextFrame");
      this.#carryOut(effects);
      if (frame === undefined) return true;
    }
    return false;
  }

  /** Takes all there is; where nothing more can come by itself, everything owed must have come. */
  drain(): void {
    this.pull(Number.POSITIVE_INFINITY);
    if (!this.pull(1))
      violate("seam", "a frame after there was none, though nothing happened: nobody would ask for it");
    if (this.over !== undefined) return;
    this.liveness.idle(this.#session.deadline, this.#now);
    if (this.#blocked) return;
    const { replays } = this.world;
    if (!replays.busyBeyond(this.#firstScans)) this.checker.liveFlows();
    if (!replays.busy) this.checker.quiescent();
  }

  #insertOne(random: Prng): void {
    const topic = random.pick(this.#scenario.topics);
    const id = this.world.insert(topic, random.between(1, this.#scenario.maxEntryBytes));
    this.#trace?.push(`insert ${id} ${topic.slice(1)}`);
  }

  #handle(event: SessionEvent): readonly Effect[] {
    this.#trace?.push(`-> ${showEvent(event)}`);
    this.#frames.event();
    this.#session.handle(event, this.#now);
    this.#audit.check(this.#session.account);
    return this.#session.takeEffects();
  }

  /** As `#carryOut`, for effects with which a wave may begin. */
  #carryOutFirst(effects: readonly Effect[]): readonly ReplayId[] {
    for (const effect of effects) if (effect.kind === "startReplay") this.#firstScans.add(effect.replay);
    return this.#carryOut(effects);
  }

  /** Carries out effects in their order. Returns the looks among them. */
  #carryOut(effects: readonly Effect[]): readonly ReplayId[] {
    for (const effect of effects) this.#trace?.push(`   effect ${showEffect(effect)}`);
    const looks = this.world.carryOut(effects);
    const over = this.#session.over;
    const close = effects.find((effect) => effect.kind === "close")?.close;
    if (close !== undefined) this.#closed = close;
    if (over?.reason !== this.#closed?.reason) violate("I12", "the end of the stream and its close effect differ");
    if (over !== undefined && this.#session.deadline !== undefined) violate("I12", "a deadline after the end");
    this.#checkNeeded(effects);
    return looks;
  }

  /** While the tail holds everything and every list has room, nothing is read from the store twice. */
  #checkNeeded(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind !== "startReplay" || this.#firstScans.has(effect.replay) || !this.#isRoomy) continue;
      violate("I11", `replay ${effect.replay} reads what is in the tail`);
    }
  }

  get #isRoomy(): boolean {
    return !this.world.tail.hasEvicted && this.#scenario.limits.dueOffsets >= ROOMY_OFFSETS;
  }

  #checkFrame(frame: Frame): void {
    this.#trace?.push(`<- ${showFrame(frame)}`);
    if (this.#blocked) violate("wire", `a ${frame.kind} frame although the wire is full`);
    this.#audit.frame(frame);
    this.checker.frame(frame);
    this.liveness.frame(frame, this.#now);
    this.#frames.frame(frame, this.checker.model.waves.size);
  }

  /** The hub offers what the stream is registered for, neither less nor more (R-37, I12). */
  #checkWatched(): void {
    if (this.over !== undefined) return;
    let wanted = 0;
    for (const { topic, wave } of this.checker.model.standings.values()) {
      if (wave?.historyOnly === true) continue;
      wanted += 1;
      if (!isTopic(topic) || !this.world.watched.has(topic)) violate("I1", "a subscribed topic is not watched");
    }
    if (wanted !== this.world.watched.size) violate("R-25", "a topic is watched that is not subscribed");
  }

  /** A stream that has just ended must have had a cause; one that had to end must have. */
  #checkEnd(cause: SessionEvent["kind"] | "nextFrame"): void {
    const reason = this.over;
    const must = MUST_END[cause];
    if (reason === undefined) {
      if (must !== undefined) violate("R-45", `${cause} did not end the stream`);
      return;
    }
    if (reason === "noPong" || reason === "stalled") this.liveness.ended(reason, this.#now);
    else if (reason === "overLimit" && cause !== "ping") violate("R-49", `${cause} ended the stream as overLimit`);
    else if (reason !== "finished" && reason !== "overLimit" && reason !== must) {
      violate("I7", `${cause} ended the stream as ${reason}`);
    }
    this.checker.ended(reason);
  }
}

/** Events that end every stream, and how. */
const MUST_END: Partial<Record<SessionEvent["kind"] | "nextFrame", CloseReason>> = {
  malformed: "badRequest",
  cancelled: "cancelled",
  replayFailed: "replayFailed",
  shutdown: "shutdown",
};
