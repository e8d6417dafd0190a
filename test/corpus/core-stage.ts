import { InvariantChecker } from "../../src/conformance/checker/invariants";
import { Truth } from "../../src/conformance/truth";
import type { Close } from "../../src/core/close";
import type { Frame, Mutate } from "../../src/core/frame";
import { DEFAULT_LIMITS, type StreamLimits } from "../../src/core/limits";
import type { Message } from "../../src/core/message";
import type { SessionEvent } from "../../src/core/session/events";
import type { Topic } from "../../src/core/topic";
import { group, SessionRig, welcome } from "../core/session/rig";
import {
  type Action,
  type MessageName,
  POWERS,
  type Power,
  type Scenario,
  type ScenarioMutate,
  type ShownFrame,
  type Stored,
  type TopicName,
} from "./language";
import type { Stage } from "./stage";

const KEEPALIVE_MS = 30_000;

/**
 * The core alone: a session in a rig, with every power there is.
 *
 * Replays go on when a frame is asked for and there is none, so that what a scenario inserts before lands in the
 * middle of the scan. Every move is also held against the invariants.
 */
export class CoreStage implements Stage {
  readonly powers = Object.keys(POWERS).filter((word): word is Power => word in POWERS);
  readonly exactFrames: boolean;
  readonly #rig: SessionRig;
  readonly #truth = new Truth();
  readonly #checker: InvariantChecker;
  readonly #pagesByHand: boolean;
  /** Frames taken while time passed, as a wire would have done. */
  readonly #sent: Frame[] = [];
  #lastPing = 0n;

  constructor(scenario: Scenario, exactFrames = true) {
    const { setting, needs } = scenario;
    const limits: StreamLimits = { ...DEFAULT_LIMITS, ...setting.limits };
    const keepaliveMs = setting.keepaliveMs ?? KEEPALIVE_MS;
    this.exactFrames = exactFrames;
    this.#pagesByHand = needs.includes("pages");
    this.#rig = new SessionRig({
      limits,
      keepaliveMs,
      ...(setting.stallMs === undefined ? {} : { stallMs: setting.stallMs }),
      ...(setting.pageRows === undefined ? {} : { pageRows: setting.pageRows }),
    });
    this.#checker = new InvariantChecker(this.#truth, limits, keepaliveMs);
    this.#store(setting.have);
    this.#notice();
  }

  act(action: Action): void {
    this.#act(action);
    this.#checkEnd();
  }

  nextFrame(): ShownFrame | undefined {
    for (;;) {
      const frame = this.#sent.shift() ?? this.#take();
      if (frame !== undefined) return show(frame);
      if (this.#pagesByHand || !this.#rig.serve()) return undefined;
      this.#ack();
    }
  }

  ending(): Close | undefined {
    return this.#rig.session.over;
  }

  #act(action: Action): void {
    switch (action.kind) {
      case "insert":
        this.#store(action.stored);
        this.#notice();
        break;
      case "elsewhere":
        this.#store(action.stored);
        break;
      case "notice":
        this.#notice();
        break;
      case "mutate":
        this.#mutate(mutateOf(action.mutate));
        break;
      case "ping":
        this.#checker.pinged(action.nonce);
        this.#rig.handle({ kind: "ping", nonce: action.nonce });
        break;
      case "halfclose":
        this.#checker.halfClose();
        this.#rig.handle({ kind: "halfClosed" });
        break;
      case "page":
        this.#rig.page(action.replay);
        break;
      case "look":
        for (const look of [...this.#rig.looks]) this.#rig.looked(look);
        this.#ack();
        break;
      case "evict":
        this.#rig.tail.evict(action.keep);
        break;
      case "wait":
        this.#wait(action.ms);
        break;
      default:
        this.#rig.handle(this.#eventOf(action));
    }
  }

  #eventOf(action: EventAction): SessionEvent {
    switch (action.kind) {
      case "pong":
        return { kind: "pong", nonce: action.nonce ?? this.#lastPing };
      case "malformed":
        return { kind: "malformed", detail: "wanted a request with a known version, got bytes of none" };
      case "cancel":
        return { kind: "cancelled" };
      case "shutdown":
        return { kind: "shutdown" };
      case "stale":
        return {
          kind: "page",
          replay: action.replay,
          messages: action.stored.map((each) => this.#find(each)),
          done: true,
        };
      case "fail":
        return { kind: "replayFailed", replay: action.replay, detail: "the store is away" };
      case "block":
        return { kind: "blocked" };
      case "progress":
        return { kind: "progress" };
      case "flush":
        return { kind: "flushed" };
      default:
        return action satisfies never;
    }
  }

  #mutate(mutate: Mutate): void {
    this.#rig.mutate(mutate);
    const { over } = this.#rig.session;
    if (over === undefined) this.#checker.accepted(mutate);
    else if (!over.detail.includes("per second")) this.#checker.refused(mutate, over.reason);
  }

  /** As a runner does it: awake at each deadline, and what is due then goes out. */
  #wait(ms: number): void {
    const { session } = this.#rig;
    const until = this.#rig.now + ms;
    this.#send();
    while (session.deadline !== undefined && session.deadline <= until) {
      const due = session.deadline;
      this.#rig.pass(Math.max(0, due - this.#rig.now));
      this.#send();
      if (session.deadline === due) throw new Error(`woken at ${due} ms, and nothing moved`);
    }
    this.#rig.pass(until - this.#rig.now);
  }

  #send(): void {
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) this.#sent.push(frame);
  }

  #take(): Frame | undefined {
    const frame = this.#rig.take();
    if (frame !== undefined) this.#checker.frame(frame);
    if (frame?.kind === "ping") this.#lastPing = frame.nonce;
    this.#checkEnd();
    return frame;
  }

  #checkEnd(): void {
    const { over } = this.#rig.session;
    if (over !== undefined && this.#checker.over === undefined) this.#checker.ended(over.reason);
  }

  #store(all: readonly Stored[]): void {
    for (const { message, topic } of all) {
      const [stored] = this.#rig.store(topicOf(topic));
      if (stored === undefined || nameOf(stored) !== message)
        throw new Error(`${message} is not the next id of its kind`);
      this.#truth.inserted(stored);
    }
  }

  #notice(): void {
    this.#rig.notice();
    this.#ack();
  }

  #ack(): void {
    const { headIds } = this.#rig.tail;
    this.#truth.ackedUpTo(0, headIds[0]);
    this.#truth.ackedUpTo(1, headIds[1]);
  }

  #find({ message }: Stored): Message {
    const found = this.#rig.stored.find((each) => nameOf(each) === message);
    if (found === undefined) throw new Error(`${message} was never stored`);
    return found;
  }
}

/** Actions that are one event of the session. */
type EventAction = Extract<
  Action,
  { kind: "pong" | "malformed" | "cancel" | "shutdown" | "stale" | "fail" | "block" | "progress" | "flush" }
>;

/** The bytes of a topic's name, one character per byte: not always a topic. */
export function topicText(name: TopicName): string {
  if (!name.startsWith("!")) return topicOf(name);
  const pairs = name.slice(1).match(/../g) ?? [];
  return pairs.map((hex) => String.fromCharCode(Number.parseInt(hex, 16))).join("");
}

function topicOf(name: TopicName): Topic {
  return name.startsWith("w") ? welcome(name) : group(name);
}

function nameOf({ kind, id }: Message): MessageName {
  return kind === 0 ? `${id}` : `w${id}`;
}

function mutateOf({ id, historyOnly, adds, removes }: ScenarioMutate): Mutate {
  return {
    id,
    historyOnly,
    adds: adds.map(({ topic, cursor }) => ({ topic: topicText(topic), cursor })),
    removes: removes.map(topicText),
  };
}

function show(frame: Frame): ShownFrame {
  switch (frame.kind) {
    case "messages":
      return { kind: "messages", lane: frame.lane, messages: frame.messages.map(nameOf) };
    case "topicsLive":
      return { kind: "live", topics: frame.topics.map((each) => each.slice(1)) };
    case "catchupComplete":
      return { kind: "complete", id: frame.mutateId };
    case "pong":
      return { kind: "pong", nonce: frame.nonce };
    case "started":
    case "ping":
      return { kind: frame.kind };
    default:
      return frame satisfies never;
  }
}
