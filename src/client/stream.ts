import { type Clock, pause, systemClock } from "../base/clock";
import { Connection } from "../core/connection/connection";
import type {
  ClientRequest,
  ConnectionEffect,
  ConnectionEnd,
  ConnectionEvent,
  ConnectionState,
  Loss,
  ServerFrame,
  StreamNumber,
  Want,
} from "../core/connection/events";
import type { Topic } from "../core/topic";
import { Alarm } from "./alarm";
import { AwakeClock } from "./awake-clock";
import { Bell } from "./bell";
import { lossOf, NodeError } from "./errors";
import { type Arrival, Inbox } from "./inbox";
import type { DeliveredMessage } from "./messages";
import { isState, type StreamEvent, type StreamOptions } from "./stream-events";
import { grpcTransport, type SubscribeTransport } from "./transport";

interface Link {
  readonly stream: StreamNumber;
  readonly stop: AbortController;
  /** Rung when there may be something to say to the node. */
  readonly toSay: Bell;
  /** Rung when there may be room to read on. */
  readonly room: Bell;
}

type Mode = "live" | "history";

const MAX_BUFFERED_BYTES = 16 * 1024 ** 2;
const SYNC_ATTEMPTS = 5;
/** How often to look whether the machine has slept. */
const HEARTBEAT_MS = 5_000;

/**
 * Opens a stream that lives until it is closed: it answers Pings, notices a node that has fallen silent,
 * comes back after failures, and delivers every message above a topic's cursor exactly once.
 */
export function openStream(options: StreamOptions): MessageStream {
  return new MessageStream(options, "live");
}

/**
 * A bounded sync (C-5): delivers what the topics hold at its start, then ends.
 * Whoever was told that a message is stored before the sync began finds that message in it.
 */
export function syncOnce(options: StreamOptions): MessageStream {
  return new MessageStream(options, "history");
}

/**
 * One stream of messages, for one consumer that iterates over it.
 *
 * The iteration ends after `close` (or a complete sync), and throws NodeError when the node refuses what is
 * asked, or cannot be reached in the attempts allowed. While the consumer does not ask for the next event,
 * nothing is lost: what it has not taken is neither counted as delivered nor read without bound.
 */
export class MessageStream implements AsyncIterableIterator<StreamEvent>, AsyncDisposable {
  readonly #connection: Connection<DeliveredMessage>;
  readonly #transport: SubscribeTransport;
  readonly #clock: Clock;
  readonly #awake: AwakeClock;
  readonly #alarm: Alarm;
  readonly #inbox: Inbox;
  /** Rung when there may be something for the consumer. */
  readonly #news = new Bell();
  readonly #stop = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  #told: StreamEvent[] = [];
  #link: Link | undefined;
  #end: ConnectionEnd | undefined;

  constructor(options: StreamOptions, mode: Mode) {
    this.#transport = options.transport ?? grpcTransport(options.address, { ca: options.ca });
    this.#clock = options.clock ?? systemClock;
    this.#awake = new AwakeClock(this.#clock);
    this.#alarm = new Alarm(this.#clock, () => this.#handle({ kind: "wake" }));
    this.#inbox = new Inbox(options.maxBufferedBytes ?? MAX_BUFFERED_BYTES);
    const historyOnly = mode === "history";
    const maxAttempts = options.maxAttempts ?? (historyOnly ? SYNC_ATTEMPTS : undefined);
    const random = options.random ?? Math.random;
    this.#connection = new Connection({ historyOnly, random, maxAttempts }, this.#awake.now());
    const close = () => this.#handle({ kind: "close" });
    options.signal?.addEventListener("abort", close, { once: true, signal: this.#stop.signal });
    this.#handle({ kind: "add", wants: options.topics ?? [] });
    if (historyOnly) this.#handle({ kind: "finish" });
    if (options.signal?.aborted) close();
    else this.#own(this.#beat());
  }

  /** Wants more topics. One that is wanted already is replayed if this cursor is below the one it was wanted with, else left alone. */
  add(...wants: readonly Want[]): void {
    this.#handle({ kind: "add", wants });
  }

  /** Wants these topics no more: no message of theirs comes from now on. */
  remove(...topics: readonly Topic[]): void {
    this.#handle({ kind: "remove", topics });
  }

  /**
   * Where to begin another time to miss nothing and get nothing twice, counting every event that the
   * iteration has handed out: keep it after processing one (C-3). `undefined` for a topic not wanted.
   */
  cursorOf(topic: Topic): bigint | undefined {
    return this.#connection.cursorOf(topic);
  }

  /** The same for every wanted topic. */
  cursors(): readonly Want[] {
    return [...this.#connection.cursors()];
  }

  /** Lets go of everything; resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#handle({ kind: "close" });
    await Promise.all(this.#tasks);
  }

  async next(): Promise<IteratorResult<StreamEvent, undefined>> {
    for (;;) {
      const event = this.#told.shift();
      if (event !== undefined) return { value: event, done: false };
      if (this.#end !== undefined) return this.#atEnd(this.#end);
      const arrival = this.#inbox.shift();
      if (arrival === undefined) {
        await this.#news.wait();
        continue;
      }
      this.#link?.room.ring();
      this.#take(arrival);
    }
  }

  async return(): Promise<IteratorResult<StreamEvent, undefined>> {
    await this.close();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #atEnd(end: ConnectionEnd): Promise<IteratorResult<StreamEvent, undefined>> {
    await Promise.all(this.#tasks);
    if (end.kind === "refused" || end.kind === "unreachable") throw new NodeError(end.loss);
    return { value: undefined, done: true };
  }

  #take(arrival: Arrival): void {
    if (arrival.kind === "frame") this.#handle(arrival);
    else this.#handle({ kind: "ended", stream: arrival.stream, ...arrival.loss });
  }

  #handle(event: ConnectionEvent<DeliveredMessage>): void {
    const now = this.#awake.now();
    if (this.#awake.takeSlept()) this.#connection.handle({ kind: "resumed" }, now);
    this.#connection.handle(event, now);
    for (const effect of this.#connection.takeEffects()) this.#carryOut(effect);
    this.#alarm.set(this.#connection.deadline, now);
    this.#link?.toSay.ring();
    this.#news.ring();
  }

  #carryOut(effect: ConnectionEffect<DeliveredMessage>): void {
    switch (effect.kind) {
      case "open":
        this.#unlink();
        this.#link = { stream: effect.stream, stop: new AbortController(), toSay: new Bell(), room: new Bell() };
        this.#own(this.#run(this.#link));
        break;
      case "abandon":
        this.#unlink();
        break;
      case "deliver":
        this.#told.push({ kind: "messages", lane: effect.lane, messages: effect.messages });
        break;
      case "topicsLive":
      case "catchupComplete":
        this.#told.push(effect);
        break;
      case "state":
        this.#tellState(effect.state);
        break;
      case "over":
        this.#unlink();
        this.#end = effect.end;
        this.#stop.abort();
        break;
      default:
        effect satisfies never;
    }
  }

  /** A consumer that is away for long hears only of the latest state. */
  #tellState(state: ConnectionState): void {
    const last = this.#told.at(-1);
    if (last !== undefined && isState(last)) this.#told.pop();
    this.#told.push(state);
  }

  /** Lets go of the stream, and of what of it has not been taken: the next one brings it again. */
  #unlink(): void {
    const link = this.#link;
    this.#link = undefined;
    this.#inbox.clear();
    link?.stop.abort();
    link?.toSay.ring();
    link?.room.ring();
  }

  /** One stream, from its opening to its end. */
  async #run(link: Link): Promise<void> {
    const loss = await this.#read(link);
    if (link !== this.#link) return;
    this.#inbox.push({ kind: "ended", stream: link.stream, loss });
    this.#news.ring();
  }

  async #read(link: Link): Promise<Loss> {
    try {
      for await (const frame of this.#transport.open(this.#requests(link), link.stop.signal)) {
        if (link !== this.#link) break;
        this.#arrive(link, frame);
        if (this.#inbox.full) await this.#waitForRoom(link);
      }
      return { status: "ok", detail: "the node ended the stream" };
    } catch (error) {
      return lossOf(error);
    }
  }

  /** What keeps the stream alive must not wait behind messages that nobody has taken yet. */
  #arrive({ stream }: Link, frame: ServerFrame<DeliveredMessage>): void {
    if (frame.kind === "started" || frame.kind === "ping" || frame.kind === "pong") {
      this.#handle({ kind: "frame", stream, frame });
      return;
    }
    this.#inbox.push({ kind: "frame", stream, frame });
    this.#handle({ kind: "heard", stream });
  }

  async #waitForRoom(link: Link): Promise<void> {
    this.#handle({ kind: "paused" });
    while (this.#inbox.full && link === this.#link) await link.room.wait();
    this.#handle({ kind: "reading" });
  }

  async *#requests(link: Link): AsyncGenerator<ClientRequest> {
    while (link === this.#link) {
      const request = this.#connection.nextRequest(this.#awake.now());
      if (request === undefined) {
        await link.toSay.wait();
        continue;
      }
      if (request.kind === "halfClose") {
        this.#alarm.set(this.#connection.deadline, this.#awake.now());
        return;
      }
      yield request;
    }
  }

  /** Timers of the clock keep no process alive; this does, and notices when the machine has slept. */
  async #beat(): Promise<void> {
    const { signal } = this.#stop;
    while (await pause(this.#clock, HEARTBEAT_MS, signal)) this.#handle({ kind: "wake" });
  }

  #own(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }
}
