import type { Close, CloseReason } from "../close";
import type { Frame, Mutate } from "../frame";
import type { StreamLimits } from "../limits";
import { Liveness } from "../liveness";
import { TokenBucket } from "../rate";
import type { Offset, TailView } from "../tail";
import type { Millis } from "../time";
import type { Topic } from "../topic";
import { Counters, type SessionAccount } from "./account";
import type { Effect, ReplayId, SessionEvent } from "./events";
import { LiveLane } from "./live";
import { apply, plan } from "./mutate";
import { Registrations } from "./registrations";
import type { Scan } from "./scan";
import { Outbox, type Shared } from "./shared";
import type { Wave } from "./wave";

/** Answers that may wait for the wire. A peer that asks for more without reading is ended. */
const MAX_ANSWERS = 100_000;

export interface SessionOptions {
  readonly tail: TailView;
  readonly limits: StreamLimits;
  /** Silence after which we ping, and how long the Pong may take, in milliseconds. `undefined`: no Pings, no reaping. */
  readonly keepaliveMs: number | undefined;
  /** How long a full wire may make no progress at all, in milliseconds, before the stream is ended. */
  readonly stallMs: number;
}

type StreamState =
  | { readonly kind: "open" }
  /** Half-closed: waves and answers in flight run to their end. */
  | { readonly kind: "draining" }
  | { readonly kind: "over"; readonly close: Close };

type WireState = { readonly kind: "ready" } | { readonly kind: "blocked"; readonly since: Millis };

const OPEN: StreamState = { kind: "open" };
const READY: WireState = { kind: "ready" };

/**
 * One XIP-83 stream, decided without waiting.
 *
 * Four doors, all synchronous, time an argument: {@link handle} takes what happens, {@link nextFrame} gives
 * what goes out next (and a frame returned counts as taken by the wire), {@link takeEffects} gives what is asked of
 * the surroundings (look after each of the first two), {@link deadline} says when to come back with a `wake`.
 *
 * The peer's fault is a state: the stream is over, with a reason. Our fault (offsets that do not ascend, a
 * page that nobody asked for) is an exception.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #shared: Shared;
  readonly #live: LiveLane;
  readonly #liveness: Liveness | undefined;
  readonly #mutateRate: TokenBucket;
  /** Made with the client's first Ping: most never send one. */
  #pingRate: TokenBucket | undefined;
  #stream: StreamState = OPEN;
  #wire: WireState = READY;
  #started = false;
  readonly #pongs: bigint[] = [];
  /** CatchupComplete of Mutates that started no wave, in the order of the Mutates. */
  readonly #acks: bigint[] = [];
  /** Waves in flight by their Mutate's id; the one served last is at the end. */
  #waves = new Map<bigint, Wave>();
  /** The wave whose last frames are on their way. */
  #announced: Wave | undefined;
  #liveIsNext = true;
  #newestOffer: Offset = 0;

  constructor(options: SessionOptions, now: Millis) {
    const { tail, limits, keepaliveMs } = options;
    this.#options = options;
    this.#shared = {
      tail,
      limits,
      frameBytes: limits.targetFrameBytes,
      registrations: new Registrations(),
      counters: new Counters(),
      outbox: new Outbox(),
    };
    this.#live = new LiveLane(this.#shared);
    this.#mutateRate = new TokenBucket(limits.mutatesPerSecond, limits.mutateBurst, now);
    this.#liveness =
      keepaliveMs === undefined
        ? undefined
        : new Liveness({ idleMs: keepaliveMs, pongMs: keepaliveMs, firstNonce: 1n }, now);
  }

  /** How the stream ended; `undefined` while it lasts. */
  get over(): Close | undefined {
    return this.#stream.kind === "over" ? this.#stream.close : undefined;
  }

  /** When to come back with a `wake`, if nothing happens before; `undefined`: not at all. */
  get deadline(): Millis | undefined {
    if (this.#stream.kind === "over") return undefined;
    const reapAt = this.#liveness?.reapAt;
    if (this.#wire.kind === "ready") return reapAt ?? this.#liveness?.askAt;
    const stallAt = this.#wire.since + this.#options.stallMs;
    return reapAt === undefined ? stallAt : Math.min(reapAt, stallAt);
  }

  /** What the stream has done so far. */
  get account(): SessionAccount {
    let heldOffsets = 0;
    let { rowsInHand } = this.#live;
    for (const wave of this.#waves.values()) {
      heldOffsets += wave.heldOffsets;
      rowsInHand += wave.rowsInHand;
    }
    return {
      ...this.#shared.counters,
      topics: this.#shared.registrations.size,
      waves: this.#waves.size,
      dueOffsets: this.#live.dueOffsets,
      heldOffsets,
      rowsInHand,
      lagOffsets: this.#live.lagOffsets,
    };
  }

  /** Every topic that is registered now. After the end: what whoever runs the stream has to unwatch. */
  topics(): Iterable<Topic> {
    return this.#shared.registrations.topics();
  }

  /** Takes in what happened. After the end nothing does (I12). */
  handle(event: SessionEvent, now: Millis): void {
    if (this.#stream.kind === "over") return;
    switch (event.kind) {
      case "mutate":
        this.#mutate(event.mutate, now);
        break;
      case "ping":
        this.#ping(event.nonce, now);
        break;
      case "pong":
        this.#liveness?.pong(event.nonce);
        break;
      case "malformed":
        this.#end("badRequest", event.detail);
        break;
      case "halfClosed":
        this.#halfClosed();
        break;
      case "cancelled":
        this.#end("cancelled", "the peer cancelled the stream");
        break;
      case "blocked":
        if (this.#wire.kind === "ready") this.#wire = { kind: "blocked", since: now };
        break;
      case "progress":
        if (this.#wire.kind === "blocked") this.#wire = { kind: "blocked", since: now };
        break;
      case "flushed":
        this.#wire = READY;
        break;
      case "offers":
        this.#offers(event.offsets);
        break;
      case "looked":
        for (const wave of this.#waves.values()) wave.looked(event.replay);
        break;
      case "page":
        this.#shared.counters.storeRows += this.#scanOf(event.replay)?.accept(event.messages, event.done) ?? 0;
        break;
      case "replayFailed":
        this.#replayFailed(event.replay, event.detail);
        break;
      case "wake":
        this.#wake(now);
        break;
      case "shutdown":
        this.#end("shutdown", "the node is going down: reconnect from the same cursors");
        break;
      default:
        event satisfies never;
    }
  }

  /**
   * The next frame, which thereby counts as taken; `undefined` if there is none, or the wire is full.
   * `roomBytes`: not filled beyond that even if its target is larger.
   */
  nextFrame(now: Millis, roomBytes = Number.POSITIVE_INFINITY): Frame | undefined {
    if (this.#stream.kind === "over" || this.#wire.kind === "blocked") return undefined;
    this.#shared.frameBytes = Math.min(this.#shared.limits.targetFrameBytes, roomBytes);
    const frame = this.#pick(now);
    if (frame !== undefined) this.#taken(frame, now);
    this.#finishIfDrained();
    return frame;
  }

  /** What is asked of the surroundings since the last call, in order. */
  takeEffects(): readonly Effect[] {
    return this.#shared.outbox.take();
  }

  #mutate(mutate: Mutate, now: Millis): void {
    const { limits, registrations, counters } = this.#shared;
    if (!this.#mutateRate.take(now)) {
      this.#endForRate("Mutates", limits.mutatesPerSecond, limits.mutateBurst);
      return;
    }
    const planned = plan({ registrations, limits, waves: this.#waves }, mutate);
    if (planned.kind === "refusal") {
      this.#end(planned.close.reason, planned.close.detail);
      return;
    }
    const wave = apply(planned, this.#shared);
    counters.mutates++;
    if (wave === undefined) {
      this.#answer(this.#acks, mutate.id);
      return;
    }
    counters.wavesBegun++;
    this.#waves.set(mutate.id, wave);
  }

  #ping(nonce: bigint, now: Millis): void {
    const { pingsPerSecond, pingBurst } = this.#shared.limits;
    this.#pingRate ??= new TokenBucket(pingsPerSecond, pingBurst, now);
    if (this.#pingRate.take(now)) this.#answer(this.#pongs, nonce);
    else this.#endForRate("Pings", pingsPerSecond, pingBurst);
  }

  #answer(queue: bigint[], value: bigint): void {
    queue.push(value);
    if (queue.length <= MAX_ANSWERS) return;
    this.#end("overLimit", `at most ${MAX_ANSWERS} answers may wait to be read, asked for ${queue.length}: read them`);
  }

  #endForRate(what: string, perSecond: number, burst: number): void {
    this.#end(
      "overLimit",
      `at most ${perSecond} ${what} per second and ${burst} at once, asked for one more: slow down`,
    );
  }

  #halfClosed(): void {
    this.#stream = { kind: "draining" };
    this.#liveness?.stop();
    this.#finishIfDrained();
  }

  #offers(offsets: readonly Offset[]): void {
    const { registrations, tail, counters } = this.#shared;
    const anyInWave = registrations.anyInWave;
    counters.offers += offsets.length;
    for (const offset of offsets) {
      if (offset <= this.#newestOffer) {
        throw new Error(`offers ascend: wanted an offset above ${this.#newestOffer}, got ${offset}`);
      }
      this.#newestOffer = offset;
      if (anyInWave) this.#route(offset, tail);
      else this.#live.offer(offset);
    }
    counters.maxLagOffsets = Math.max(counters.maxLagOffsets, this.#live.lagOffsets);
  }

  #route(offset: Offset, tail: TailView): void {
    const message = tail.get(offset);
    if (message === undefined) {
      this.#shared.counters.rereadOffers++;
      this.#live.lose();
      for (const wave of this.#waves.values()) wave.lose();
      return;
    }
    const wave = this.#shared.registrations.waveOf(message.topic);
    if (wave === undefined) this.#live.offer(offset);
    else wave.hold(offset);
  }

  #scanOf(replay: ReplayId): Scan | undefined {
    for (const wave of this.#waves.values()) {
      const scan = wave.scanOf(replay);
      if (scan !== undefined) return scan;
    }
    return this.#live.scanOf(replay);
  }

  #replayFailed(replay: ReplayId, detail: string): void {
    let wanted = this.#live.scanOf(replay)?.isOpen === true;
    for (const wave of this.#waves.values()) wanted ||= wave.awaits(replay);
    if (wanted) this.#end("replayFailed", detail);
  }

  #wake(now: Millis): void {
    const { keepaliveMs, stallMs } = this.#options;
    if (this.#liveness?.isGone(now) === true) {
      this.#end("noPong", `wanted a Pong within ${keepaliveMs} ms of our Ping, got none: reconnect`);
    } else if (this.#wire.kind === "blocked" && now >= this.#wire.since + stallMs) {
      this.#end("stalled", `wanted the peer to read something within ${stallMs} ms, it read nothing: reconnect`);
    }
  }

  #pick(now: Millis): Frame | undefined {
    if (!this.#started) {
      this.#started = true;
      return { kind: "started", keepaliveMs: this.#options.keepaliveMs ?? 0 };
    }
    const pong = this.#pongs.shift();
    if (pong !== undefined) return { kind: "pong", nonce: pong };
    const ack = this.#acks.shift();
    if (ack !== undefined) return { kind: "catchupComplete", mutateId: ack };
    const frame = this.#announced === undefined ? this.#nextDelivery() : this.#nextOfWave(this.#announced);
    if (frame !== undefined) return frame;
    const nonce = this.#liveness?.ask(now);
    return nonce === undefined ? undefined : { kind: "ping", nonce };
  }

  /** Live and waves take turns, and waves among themselves: no lane can starve another. */
  #nextDelivery(): Frame | undefined {
    this.#healIfLagging();
    const frame = this.#nextInTurn();
    // A wave may have waited for the healing to begin, and need not wait for more: nobody would ask again.
    return this.#healIfLagging() && frame === undefined ? this.#nextInTurn() : frame;
  }

  #nextInTurn(): Frame | undefined {
    return this.#liveIsNext ? (this.#nextLive() ?? this.#nextOfWaves()) : (this.#nextOfWaves() ?? this.#nextLive());
  }

  #nextLive(): Frame | undefined {
    const frame = this.#live.next(this.#liveBound());
    if (frame !== undefined) this.#liveIsNext = false;
    return frame;
  }

  #nextOfWaves(): Frame | undefined {
    for (const wave of this.#waves.values()) {
      const frame = this.#nextOfWave(wave);
      if (frame === undefined) continue;
      this.#liveIsNext = true;
      return frame;
    }
    return undefined;
  }

  #nextOfWave(wave: Wave): Frame | undefined {
    const frame = wave.next(this.#live);
    if (frame === undefined) return undefined;
    this.#waves.delete(wave.mutateId);
    if (frame.kind === "catchupComplete") this.#complete(wave);
    else this.#waves.set(wave.mutateId, wave);
    this.#announced = wave.isAnnounced && frame.kind !== "catchupComplete" ? wave : undefined;
    return frame;
  }

  /** CatchupComplete is being taken: the gate of the wave's topics opens. */
  #complete(wave: Wave): void {
    wave.complete(this.#live);
    if (this.#waves.size === 0) this.#waves = new Map(); // a map keeps its storage when it is emptied
    this.#shared.counters.wavesComplete++;
  }

  /**
   * A lagging live lane is healed as soon as no wave is about to end. So a wave that ends while the lane is being
   * healed has delivered everything up to the healing's ceiling at least. Returns whether a healing began.
   */
  #healIfLagging(): boolean {
    if (!this.#live.isLagging || this.#announced !== undefined) return false;
    if (this.#liveBound() !== Number.POSITIVE_INFINITY) return false;
    this.#live.heal();
    return true;
  }

  /** The offset that live messages must not pass, because a wave is about to end there. */
  #liveBound(): Offset {
    let bound = Number.POSITIVE_INFINITY;
    for (const wave of this.#waves.values()) bound = Math.min(bound, wave.liveBound ?? bound);
    return bound;
  }

  #taken(frame: Frame, now: Millis): void {
    const { counters } = this.#shared;
    this.#liveness?.sent(now);
    counters.frames++;
    if (frame.kind === "ping") counters.pings++;
    if (frame.kind === "pong") counters.pongs++;
  }

  /** Half-closed with nothing in flight: the end. */
  #finishIfDrained(): void {
    if (this.#stream.kind !== "draining" || !this.#started) return;
    if (this.#pongs.length > 0 || this.#acks.length > 0 || this.#waves.size > 0) return;
    this.#end("finished", "half-closed, and everything asked for was delivered");
  }

  #end(reason: CloseReason, detail: string): void {
    const close: Close = { reason, detail };
    this.#stream = { kind: "over", close };
    this.#shared.outbox.push({ kind: "close", close });
  }
}
