import type { CloseReason } from "../../core/close";
import { type Frame, LIVE, type Mutate } from "../../core/frame";
import type { StreamLimits } from "../../core/limits";
import { type PerKind, withKind } from "../../core/topic";
import { higherPerKind, kindOfText, type Row, type TruthView } from "../truth";
import { type Objection, type Standing, SubscriptionModel, type Wave } from "./subscription-model";
import { nameOf, show, violate } from "./violation";

/** Where servers may decide differently and both be right. */
export interface CheckerPolicy {
  /** Whether a wave is one merged ascending pass over its topics; otherwise only each topic ascends. */
  readonly mergedWaves: boolean;
}

type DeliveryFrame = Extract<Frame, { kind: "messages" }>;

/**
 * Watches one stream from outside and throws a {@link Violation} as soon as a rule of the protocol is broken.
 *
 * It is told what went in (requests at the moment they take effect, half-close, cancel), what is true (which
 * messages exist and which are acked, in `truth`) and every frame that came out, each in the order in which it
 * happened; of the server's inside it knows nothing. Over a real transport a request takes effect at an unknown
 * moment: send a Ping behind it and tell of the request, then of the frames before its Pong, once that is there.
 */
export class InvariantChecker {
  readonly #model: SubscriptionModel;
  readonly #truth: TruthView;
  readonly #keepaliveMs: number | undefined;
  readonly #policy: CheckerPolicy;
  readonly #pongs: bigint[] = [];
  /** Per kind, the id delivered last in the live lane. */
  #live: PerKind<bigint> = [0n, 0n];
  #started = false;
  #halfClosed = false;
  #over: CloseReason | undefined;

  /** `keepaliveMs`: what Started must promise; `undefined` where the stream is of a kind that has no Started. */
  constructor(
    truth: TruthView,
    rules: StreamLimits | SubscriptionModel,
    keepaliveMs: number | undefined,
    policy: CheckerPolicy = { mergedWaves: true },
  ) {
    this.#truth = truth;
    this.#keepaliveMs = keepaliveMs;
    this.#policy = policy;
    this.#model = rules instanceof SubscriptionModel ? rules : new SubscriptionModel(rules);
  }

  /** What the stream subscribes to, as far as it has been told. */
  get model(): SubscriptionModel {
    return this.#model;
  }

  /** A checker that goes on from here by itself. */
  fork(): InvariantChecker {
    const checker = new InvariantChecker(this.#truth, this.#model.fork(), this.#keepaliveMs, this.#policy);
    checker.#pongs.push(...this.#pongs);
    checker.#live = this.#live;
    checker.#started = this.#started;
    checker.#halfClosed = this.#halfClosed;
    checker.#over = this.#over;
    return checker;
  }

  get halfClosed(): boolean {
    return this.#halfClosed;
  }

  /** How the stream ended, or `undefined` while it has not. */
  get over(): CloseReason | undefined {
    return this.#over;
  }

  /** A Mutate took effect: it was not refused. `others`: objections to it that the caller knows of, such as rates. */
  accepted(mutate: Mutate, others: readonly Objection[] = []): void {
    const duty = [...this.model.objections(mutate), ...others].find((objection) => objection.certain);
    if (duty !== undefined) violate(duty.rule, `Mutate ${mutate.id} was accepted, but must be refused`);
    this.model.apply(mutate, mutate.historyOnly ? this.#truth.promised : this.#truth.acked);
  }

  /** A Mutate was refused; the stream is over for this `reason`. */
  refused(mutate: Mutate, reason: CloseReason, others: readonly Objection[] = []): void {
    const objections = [...this.model.objections(mutate), ...others];
    if (objections.length === 0) violate("I7", `Mutate ${mutate.id} was refused as ${reason}, but breaks no rule`);
    if (!objections.some((objection) => objection.reason === reason)) {
      violate(objections[0]?.rule ?? "I7", `Mutate ${mutate.id} was refused as ${reason}`);
    }
    this.#over = reason;
  }

  /** Optional: a history_only wave pinned its ceilings at this very moment, where the caller can know. */
  pinned(id: bigint): void {
    const wave = this.model.waves.get(id);
    if (wave?.historyOnly !== true || wave.ceiling !== undefined) return;
    wave.due = higherPerKind(wave.due, this.#truth.acked);
    wave.ceiling = this.#truth.acked;
  }

  /** A Ping of the client took effect. */
  pinged(nonce: bigint): void {
    this.#pongs.push(nonce);
  }

  halfClose(): void {
    this.#halfClosed = true;
  }

  /** A frame came out. */
  frame(frame: Frame): void {
    if (this.#over !== undefined) violate("I12", `a ${frame.kind} frame after the end (${this.#over})`);
    if (!this.#started && frame.kind !== "started" && this.#keepaliveMs !== undefined) {
      violate("R-1", `${frame.kind} came before Started`);
    }
    switch (frame.kind) {
      case "started":
        this.#onStarted(frame.keepaliveMs);
        break;
      case "messages":
        this.#onMessages(frame);
        break;
      case "topicsLive":
        this.#onTopicsLive(frame.topics);
        break;
      case "catchupComplete":
        this.#onCatchupComplete(frame.mutateId);
        break;
      case "pong":
        if (this.#pongs.shift() !== frame.nonce) violate("R-44", `Pong ${frame.nonce} is not the one that is due`);
        break;
      case "ping":
        if (this.#halfClosed) violate("R-45", "a Ping after the half-close");
        break;
      default:
        frame satisfies never;
    }
  }

  /** The stream ended otherwise than by refusing a Mutate. */
  ended(reason: CloseReason): void {
    if (this.#over !== undefined) violate("I12", `the stream ended as ${reason} after it had ended as ${this.#over}`);
    this.#over = reason;
    if (reason !== "finished") return;
    if (!this.#halfClosed) violate("R-45", "the server finished a stream that was not half-closed");
    const owed = this.owed();
    if (owed !== undefined) violate("R-45", `the stream finished, but ${owed}`);
  }

  /** Nothing can happen any more unless something new comes in: everything owed must have been sent by now. */
  quiescent(): void {
    if (this.#over !== undefined) return;
    const owed = this.owed();
    if (owed !== undefined) violate("I8", `the stream is quiet, but ${owed}`);
    for (const standing of this.model.standings.values()) this.#noGap(standing, this.#truth.acked, "at rest");
    if (this.#halfClosed) violate("R-46", "half-closed and nothing in flight, but the stream is not over");
  }

  /** Everything live that can be sent has been taken: what is still missing waits for a wave of other topics. */
  liveFlows(): void {
    for (const standing of this.model.standings.values()) {
      if (standing.wave === undefined) this.#noGap(standing, this.#truth.acked, "while other topics catch up (R-19)");
    }
  }

  /** What the server still has to say before it may finish, if anything. */
  owed(): string | undefined {
    if (!this.#started && this.#keepaliveMs !== undefined) return "Started is missing";
    const [ack] = this.model.acks;
    if (ack !== undefined) return `the ack of Mutate ${ack} is missing`;
    for (const wave of this.model.waves.values()) return `the CatchupComplete of wave ${wave.id} is missing`;
    const [pong] = this.#pongs;
    return pong === undefined ? undefined : `the Pong ${pong} is missing`;
  }

  #onStarted(keepaliveMs: number): void {
    if (this.#started) violate("R-1", "a second Started");
    this.#started = true;
    if (this.#keepaliveMs !== undefined && keepaliveMs !== this.#keepaliveMs) {
      violate("R-2", `Started promises ${keepaliveMs} ms instead of ${this.#keepaliveMs} ms`);
    }
  }

  #onMessages(frame: DeliveryFrame): void {
    if (frame.messages.length === 0) violate("I6", "a delivery frame without a message");
    const wave = frame.lane === LIVE ? undefined : this.model.waves.get(frame.lane);
    if (frame.lane !== LIVE && wave === undefined) {
      violate("R-35", `a delivery of wave ${frame.lane}, which is not in flight`);
    }
    for (const message of frame.messages) {
      const standing = this.#standingOf(message);
      this.#checkLane(message, standing, wave);
      this.#checkPosition(message, standing);
      this.#checkOrder(message, wave);
      standing.floor = message.id;
    }
    if (wave !== undefined) this.#begun(wave);
  }

  /** Whom a message is for: it must exist, and somebody must have asked for its topic. */
  #standingOf(row: Row): Standing {
    if (this.#truth.topicAt(row.kind, row.id) !== row.topic) {
      violate("I1", `${nameOf(row)} was delivered, but there is no such message`);
    }
    const standing = this.model.standings.get(row.topic);
    return standing ?? violate("R-25", `${nameOf(row)} was delivered, but its topic is not subscribed`);
  }

  /** I4, I6, R-35, R-36. */
  #checkLane(row: Row, standing: Standing, wave: Wave | undefined): void {
    if (wave === undefined && standing.wave !== undefined) {
      violate("I4", `${nameOf(row)} is live, but wave ${standing.wave.id} of its topic is not complete (R-19)`);
    }
    if (wave !== standing.wave) violate("I6", `${nameOf(row)} in wave ${wave?.id}, which its topic is not part of`);
    if (wave !== undefined && standing.announced) {
      violate("R-35", `${nameOf(row)} in wave ${wave.id} after the TopicsLive that listed its topic`);
    }
    if (wave?.ceiling !== undefined && row.id > wave.ceiling[row.kind]) {
      violate("R-36", `${nameOf(row)} is above the ceiling ${wave.ceiling[row.kind]} of history_only wave ${wave.id}`);
    }
  }

  /** I1, I2, I5: since ids of a topic only ascend, what is skipped can never come. */
  #checkPosition(row: Row, standing: Standing): void {
    if (row.id <= standing.cursor) violate("I5", `${nameOf(row)} is not above the cursor ${standing.cursor} (R-7)`);
    if (row.id <= standing.floor) violate("I2", `${nameOf(row)} again or late: ${standing.floor} was delivered before`);
    const next = this.#truth.after(row.topic, standing.floor);
    if (next !== row.id) violate("I1", `${nameOf(row)} was delivered, but ${next} of the same topic was skipped`);
  }

  /** I3: R-16 for the live lane, R-17 for a wave's. */
  #checkOrder(row: Row, wave: Wave | undefined): void {
    const last = wave === undefined ? this.#live : wave.last;
    const merged = wave === undefined || this.#policy.mergedWaves;
    if (merged && row.id <= last[row.kind]) {
      const lane = wave === undefined ? "the live lane" : `wave ${wave.id}`;
      violate(
        "I3",
        `${nameOf(row)} comes after ${last[row.kind]} in ${lane} (${wave === undefined ? "R-16" : "R-17"})`,
      );
    }
    const now = higherPerKind(last, withKind(last, row.kind, row.id));
    if (wave === undefined) this.#live = now;
    else wave.last = now;
  }

  #onTopicsLive(topics: readonly string[]): void {
    if (topics.length === 0) violate("R-35", "a TopicsLive that lists nothing");
    const waves = new Set<Wave>();
    for (const topic of topics) {
      const standing = this.model.standings.get(topic);
      const wave = standing?.wave;
      if (standing === undefined || wave === undefined || standing.announced) {
        violate("R-27", `TopicsLive lists ${show(topic)}, which no wave has to announce`);
      }
      waves.add(wave);
      this.#begun(wave);
      this.#noGap(standing, this.#dueIn(wave), `at the TopicsLive of wave ${wave.id}`);
      standing.announced = true;
    }
    if (waves.size > 1) violate("R-35", "a TopicsLive mixes the topics of several waves");
  }

  #onCatchupComplete(id: bigint): void {
    const { acks, waves } = this.model;
    if (acks[0] === id) {
      acks.shift();
      return;
    }
    const wave = waves.get(id);
    if (wave === undefined) {
      if (acks.includes(id)) violate("R-34", `the ack ${id} overtook the ack ${acks[0]}`);
      violate("I8", `CatchupComplete ${id}, but no Mutate of this id waits for one`);
    }
    for (const standing of wave.standings) {
      if (!standing.announced) {
        violate("R-35", `CatchupComplete ${id} before the TopicsLive that lists ${show(standing.topic)}`);
      }
      this.#noGap(standing, this.#dueIn(wave), `at CatchupComplete ${id}`);
    }
    this.model.complete(wave);
  }

  /** Up to where a wave must have delivered. What lies below a live id can come on no lane any more. */
  #dueIn(wave: Wave): PerKind<bigint> {
    return wave.historyOnly ? higherPerKind(wave.due, wave.last) : higherPerKind(wave.due, this.#live);
  }

  /** I1: everything of the topic up to `due` must have been delivered, or lie below the cursor. */
  #noGap(standing: Standing, due: PerKind<bigint>, when: string): void {
    const next = this.#truth.after(standing.topic, standing.floor);
    const kind = kindOfText(standing.topic);
    if (next === undefined || kind === undefined || next > due[kind]) return;
    violate("I1", `${next} of ${show(standing.topic)} is missing ${when}`);
  }

  /** once a history_only wave shows itself, its ceiling is pinned, and nothing that is stored later belongs to it. */
  #begun(wave: Wave): void {
    if (wave.historyOnly && wave.ceiling === undefined) wave.ceiling = this.#truth.heads;
  }
}
