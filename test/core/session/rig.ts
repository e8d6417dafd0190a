import type { Frame, Mutate } from "../../../src/core/frame";
import { DEFAULT_LIMITS, type StreamLimits } from "../../../src/core/limits";
import type { Message } from "../../../src/core/message";
import type { Effect, ReplayId, ReplayScope, SessionEvent } from "../../../src/core/session/events";
import { Session } from "../../../src/core/session/session";
import type { Offset, TailView } from "../../../src/core/tail";
import type { Millis } from "../../../src/core/time";
import { isTopic, type Kind, kindOf, type PerKind, type Topic } from "../../../src/core/topic";
import { AccountAudit } from "../../support/account-audit";

/** A topic written as one character per byte; throws if it is none. */
export function topic(text: string): Topic {
  if (!isTopic(text)) throw new Error(`not a topic: ${JSON.stringify(text)}`);
  return text;
}

/** The group topic with a name. */
export const group = (name: string): Topic => topic(`\0${name}`);
/** The welcome topic with a name. */
export const welcome = (name: string): Topic => topic(`\x01${name}`);

export interface RigOptions {
  readonly limits?: Partial<StreamLimits>;
  readonly keepaliveMs?: number | undefined;
  readonly stallMs?: number;
  /** Messages in a page of a replay. */
  readonly pageRows?: number;
  readonly entryBytes?: number;
}

interface ReplayJob {
  readonly scope: ReplayScope;
  readonly rows: Message[];
  /** Whether the session waits for a page. */
  wanted: boolean;
}

/** A tail that forgets on command. */
class RigTail implements TailView {
  readonly #messages: (Message | undefined)[] = [];
  readonly #headIds: [bigint, bigint] = [0n, 0n];
  /** How often a message was looked up. */
  lookups = 0;

  get head(): Offset {
    return this.#messages.length;
  }

  get headIds(): PerKind<bigint> {
    return this.#headIds;
  }

  get(offset: Offset): Message | undefined {
    this.lookups++;
    return this.#messages[offset - 1];
  }

  append(message: Message): Offset {
    this.#messages.push(message);
    this.#headIds[message.kind] = message.id;
    return this.#messages.length;
  }

  evict(keep: number): void {
    this.#messages.fill(undefined, 0, Math.max(0, this.#messages.length - keep));
  }
}

/** One session with a store, a tail, a hub and a clock around it, each of which moves on command only. */
export class SessionRig {
  readonly session: Session;
  readonly tail = new RigTail();
  readonly stored: Message[] = [];
  readonly watched = new Set<Topic>();
  /** Looks that were asked for and not answered. */
  readonly looks: ReplayId[] = [];
  /** Replays in progress, in the order in which they were started. */
  readonly replays = new Map<ReplayId, ReplayJob>();
  /** Every effect so far. */
  readonly effects: Effect[] = [];
  now: Millis = 0;
  readonly #audit = new AccountAudit();
  readonly #pageRows: number;
  readonly #entryBytes: number;
  readonly #heads: [bigint, bigint] = [0n, 0n];
  #noticed = 0;

  constructor(options: RigOptions = {}) {
    this.#pageRows = options.pageRows ?? 1_000;
    this.#entryBytes = options.entryBytes ?? 10;
    const keepaliveMs = "keepaliveMs" in options ? options.keepaliveMs : 30_000;
    this.session = new Session(
      {
        tail: this.tail,
        limits: { ...DEFAULT_LIMITS, ...options.limits },
        keepaliveMs,
        stallMs: options.stallMs ?? 60_000,
      },
      this.now,
    );
  }

  /** Stores one message per topic; this node does not notice yet. */
  store(...topics: readonly Topic[]): readonly Message[] {
    return topics.map((topic) => {
      const kind: Kind = kindOf(topic);
      this.#heads[kind] += 1n;
      const message: Message = { kind, id: this.#heads[kind], topic, entry: new Uint8Array(this.#entryBytes) };
      this.stored.push(message);
      return message;
    });
  }

  /** The node notices what was stored, in one tick. */
  notice(): void {
    const offsets: Offset[] = [];
    for (const message of this.stored.slice(this.#noticed)) {
      const offset = this.tail.append(message);
      if (this.watched.has(message.topic)) offsets.push(offset);
    }
    this.#noticed = this.stored.length;
    if (offsets.length > 0) this.handle({ kind: "offers", offsets });
  }

  insert(...topics: readonly Topic[]): void {
    this.store(...topics);
    this.notice();
  }

  handle(event: SessionEvent): readonly Effect[] {
    this.session.handle(event, this.now);
    this.#audit.check(this.session.account);
    return this.#carryOut();
  }

  mutate(mutate: Partial<Mutate>): readonly Effect[] {
    return this.handle({ kind: "mutate", mutate: { id: 0n, adds: [], removes: [], historyOnly: false, ...mutate } });
  }

  /** A Mutate that adds topics from a cursor. */
  add(id: bigint, topics: readonly Topic[], cursor = 0n): readonly Effect[] {
    return this.mutate({ id, adds: topics.map((topic) => ({ topic, cursor })) });
  }

  take(): Frame | undefined {
    const frame = this.session.nextFrame(this.now);
    if (frame !== undefined) this.#audit.frame(frame);
    this.#audit.check(this.session.account);
    this.#carryOut();
    return frame;
  }

  /** Takes frames until there are none. */
  drain(): readonly Frame[] {
    const frames: Frame[] = [];
    for (let frame = this.take(); frame !== undefined; frame = this.take()) frames.push(frame);
    return frames;
  }

  /** Takes frames, and answers looks and replays, until nothing moves. */
  settle(): readonly Frame[] {
    const frames: Frame[] = [];
    do frames.push(...this.drain());
    while (this.serve());
    return frames;
  }

  /** Answers one look, or hands over one page, in the order asked for; `false` if nobody waits. */
  serve(): boolean {
    const [look] = this.looks;
    if (look !== undefined) {
      this.looked(look);
      return true;
    }
    const next = [...this.replays].find(([, job]) => job.wanted);
    if (next === undefined) return false;
    this.page(next[0]);
    return true;
  }

  looked(replay: ReplayId): void {
    this.looks.splice(this.looks.indexOf(replay), 1);
    this.notice();
    this.handle({ kind: "looked", replay });
  }

  /** Hands over the next page of a replay. @throws Error if it is not wanted. */
  page(replay: ReplayId): void {
    const job = this.replays.get(replay);
    if (job?.wanted !== true) throw new Error(`replay ${replay} wants no page`);
    const messages = job.rows.splice(0, this.#pageRows);
    const done = job.rows.length === 0;
    job.wanted = false;
    if (done) this.replays.delete(replay);
    this.handle({ kind: "page", replay, messages, done });
  }

  /** Lets time pass, waking the session at its deadlines. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (let at = this.session.deadline; at !== undefined && at <= until; at = this.#later(at)) {
      this.now = Math.max(this.now, at);
      this.handle({ kind: "wake" });
    }
    this.now = until;
  }

  /** The session's deadline if it has moved on from `at`. */
  #later(at: Millis): Millis | undefined {
    const { deadline } = this.session;
    return deadline !== undefined && deadline > at ? deadline : undefined;
  }

  #carryOut(): readonly Effect[] {
    const effects = this.session.takeEffects();
    for (const effect of effects) {
      this.effects.push(effect);
      this.#perform(effect);
    }
    return effects;
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "watch":
        for (const each of effect.topics) this.watched.add(each);
        break;
      case "unwatch":
        for (const each of effect.topics) this.watched.delete(each);
        break;
      case "look":
        this.looks.push(effect.replay);
        break;
      case "startReplay":
        this.replays.set(effect.replay, { scope: effect.scope, rows: this.#rows(effect.scope), wanted: true });
        break;
      case "nextPage":
        this.#job(effect.replay).wanted = true;
        break;
      case "cancelReplay":
        if (!this.replays.delete(effect.replay)) this.looks.splice(this.looks.indexOf(effect.replay), 1);
        break;
      case "close":
        this.watched.clear();
        this.looks.length = 0;
        this.replays.clear();
        break;
      default:
        effect satisfies never;
    }
  }

  #job(replay: ReplayId): ReplayJob {
    const job = this.replays.get(replay);
    if (job === undefined) throw new Error(`replay ${replay} is not in progress`);
    return job;
  }

  #rows(scope: ReplayScope): Message[] {
    const floors = new Map(scope.topics.map((each, at) => [each, scope.floors[at] ?? 0n]));
    return this.stored.filter((message) => {
      const floor = floors.get(message.topic);
      return floor !== undefined && message.id > floor && message.id <= scope.ceilings[message.kind];
    });
  }
}
