import type { Sleeper } from "../../base/alarms";
import type { LogFields } from "../../base/log";
import { stackOf } from "../../base/thrown";
import type { Close } from "../../core/close";
import type { Frame } from "../../core/frame";
import type { SessionAccount } from "../../core/session/account";
import type { Effect, SessionEvent } from "../../core/session/events";
import { Session } from "../../core/session/session";
import type { Offset } from "../../core/tail";
import type { Subscriber } from "../../feed/types";
import type { Status } from "../errors";
import { detailOfEnd, outcomeOfEnd, type StreamEnd } from "./end";
import type { RegisteredStream, StreamHost } from "./host";
import { Replays } from "./replays";
import type { TurnGroup, TurnSlot } from "./turn";

export interface RunnerOptions {
  /** Name of the RPC, for logs and metrics. */
  readonly rpc: string;
  /** How it came in, for logs: `grpc`, `connect`, … */
  readonly protocol: string;
  /** Whether the client speaks Ping and Pong. Without, there are no Pings and no reaping. */
  readonly liveness: boolean;
  /** Streams of one group have their turns in a row. Its own unless told. */
  readonly group?: TurnGroup;
}

/** Takes frames as a runner hands them out. */
export interface FrameSink {
  /** How large the next frame may be, in bytes of entries; one message may go beyond. */
  readonly frameBytes: number;
  /** Takes a frame. Returns whether there is room for another. */
  take(frame: Frame): boolean;
}

/** The shortest time to wait for, in milliseconds: a deadline that has passed is not asked for in a busy loop. */
const MIN_WAIT_MS = 1;

/**
 * One stream: joins a session to the feed and the clock.
 *
 * Whatever happens is told by {@link push}; `onTurn` is then called once in the next turn, however many
 * things happened, and takes frames by {@link pull} or {@link nextFrame} until there is none. Without an `onTurn`,
 * {@link frames} hands them out. When the stream has ended, everything it held of the feed and the clock is let go
 * of at once; its last log line comes with {@link finish}, because only the transport knows whether the end
 * was delivered.
 */
export class StreamRunner implements Subscriber, RegisteredStream, Sleeper {
  readonly #host: StreamHost;
  readonly rpc: string;
  readonly protocol: string;
  readonly #id: number;
  readonly #session: Session;
  readonly #slot: TurnSlot;
  readonly openedAt: number;
  readonly #replays: Replays;
  /** Names its alarm, if one is set. */
  #alarm: number | undefined;
  /** When the alarm rings: never before it has to, but often before the session's deadline. */
  #alarmAt = 0;
  #end: StreamEnd | undefined;
  #finished = false;
  #pulled: (() => void) | undefined;

  constructor(host: StreamHost, options: RunnerOptions, onTurn?: () => void) {
    const { feed, clock, withPings, withoutPings } = host;
    this.#host = host;
    this.rpc = options.rpc;
    this.protocol = options.protocol;
    this.openedAt = clock.now();
    this.#slot = (options.group ?? host.turns.group()).slot(onTurn ?? (() => this.#pulled?.()));
    this.#replays = new Replays(feed, this);
    this.#session = new Session(options.liveness ? withPings : withoutPings, this.openedAt);
    this.#id = host.streams.add(this);
    host.metrics.streamOpened(this.rpc);
    host.log.info("stream opened", this.#named());
  }

  /** How the stream ended; `undefined` while it lasts. */
  get end(): StreamEnd | undefined {
    return this.#end;
  }

  get over(): Close | undefined {
    return this.#session.over;
  }

  get account(): SessionAccount {
    return this.#session.account;
  }

  /** Takes in what happened, carries out what follows from it, and has `onTurn` called once in the next turn. */
  push(event: SessionEvent): void {
    if (this.#end !== undefined) return;
    try {
      this.#session.handle(event, this.#host.clock.now());
      this.#settle();
    } catch (error) {
      this.#crash(error);
    }
    this.#slot.mark();
  }

  /** The next frame, which thereby counts as sent; `undefined` if there is none now. */
  nextFrame(): Frame | undefined {
    if (this.#end !== undefined) return undefined;
    try {
      const frame = this.#session.nextFrame(this.#host.clock.now());
      this.#settle();
      return frame;
    } catch (error) {
      this.#crash(error);
      return undefined;
    }
  }

  /** Hands over frames until there is none or no room. */
  pull(sink: FrameSink): void {
    if (this.#end !== undefined) return;
    try {
      const now = this.#host.clock.now();
      let frame = this.#session.nextFrame(now, sink.frameBytes);
      while (frame !== undefined && sink.take(frame)) frame = this.#session.nextFrame(now, sink.frameBytes);
      this.#settle();
    } catch (error) {
      this.#crash(error);
    }
  }

  /** Has `onTurn` called once in the next turn, though nothing happened. */
  again(): void {
    this.#slot.mark();
  }

  /** Ends the stream with a status of the transport's. */
  refuse(status: Status): void {
    if (this.#end !== undefined) return;
    this.#session.handle({ kind: "cancelled" }, this.#host.clock.now());
    this.#release({ kind: "refused", status });
    this.#slot.mark();
  }

  /** A request of a type that this node does not know came (R-5b). */
  ignoreRequest(): void {
    this.#host.metrics.requestIgnored(this.rpc);
  }

  /** For the feed. */
  offers(offsets: readonly Offset[]): void {
    this.push({ kind: "offers", offsets });
  }

  /** For the registry. */
  shutdown(): void {
    this.push({ kind: "shutdown" });
  }

  /**
   * The stream is gone from the transport: `delivered` if its end reached the network as intended. One that did
   * not counts as cancelled, whatever we meant to say. Safe to call repeatedly.
   */
  finish(delivered: boolean): void {
    if (this.#finished) return;
    this.#finished = true;
    this.push({ kind: "cancelled" });
    const outcome = outcomeOfEnd(this.#end, delivered);
    const { account } = this;
    this.#host.streams.remove(this.#id);
    this.#host.metrics.streamEnded(this.rpc, outcome, account);
    const ms = Math.round(this.#host.clock.now() - this.openedAt);
    const level = outcome === "replayFailed" ? "warn" : "info";
    const detail = detailOfEnd(this.#end);
    this.#host.log[level]("stream ended", { ...this.#named(), reason: outcome, detail, ms, ...account });
  }

  /**
   * The heartbeat as an iterator, for transports that pull: a Ping is just the frame that is due when nothing
   * else is. Returns when the stream has ended; when `signal` aborts, everything is let go of even if
   * whoever pulls never comes back.
   */
  async *frames(signal: AbortSignal): AsyncGenerator<Frame, void, undefined> {
    const onAbort = () => this.finish(false);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    let delivered = false;
    try {
      while (this.#end === undefined) {
        const frame = this.nextFrame();
        if (frame === undefined) {
          await this.#turn();
          continue;
        }
        this.push({ kind: "blocked" });
        yield frame;
        this.push({ kind: "flushed" });
      }
      delivered = true;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.finish(delivered);
    }
  }

  #turn(): Promise<void> {
    if (this.#end !== undefined) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pulled = () => {
      this.#pulled = undefined;
      resolve();
    };
    return promise;
  }

  #settle(): void {
    for (const effect of this.#session.takeEffects()) this.#carryOut(effect);
    if (this.#end === undefined) this.#arm();
  }

  #carryOut(effect: Effect): void {
    const { feed } = this.#host;
    switch (effect.kind) {
      case "watch":
        feed.watch(this, effect.topics);
        break;
      case "unwatch":
        feed.unwatch(this, effect.topics);
        break;
      case "look":
        this.#replays.look(effect.replay);
        break;
      case "startReplay":
        this.#replays.start(effect.replay, effect.scope);
        break;
      case "nextPage":
        this.#replays.next(effect.replay);
        break;
      case "cancelReplay":
        this.#replays.cancel(effect.replay);
        break;
      case "close":
        this.#release({ kind: "closed", close: effect.close });
        break;
      default:
        effect satisfies never;
    }
  }

  /** Sees that there is an alarm for the deadline, or for a time before it: one that moves away leaves it as it is. */
  #arm(): void {
    const { deadline } = this.#session;
    if (deadline === undefined || (this.#alarm !== undefined && this.#alarmAt <= deadline)) return;
    this.#disarm();
    const { alarms, clock } = this.#host;
    this.#alarmAt = Math.max(deadline, clock.now() + MIN_WAIT_MS);
    this.#alarm = alarms.set(this, this.#alarmAt);
  }

  #disarm(): void {
    if (this.#alarm === undefined) return;
    this.#host.alarms.cancel(this, this.#alarm);
    this.#alarm = undefined;
  }

  /** For the alarms. A Pong that has arrived but was not read yet counts: what has come in is handled first. */
  onAlarm(): void {
    const { deadline } = this.#session;
    if (deadline === undefined || this.#host.clock.now() < deadline) {
      this.#alarm = undefined;
      this.#arm();
      return;
    }
    this.#host.turns.afterInput(() => {
      this.#alarm = undefined;
      this.push({ kind: "wake" });
    });
  }

  #crash(error: unknown): void {
    this.#host.log.error("stream crashed", { ...this.#named(), error: `${error}`, stack: stackOf(error) });
    this.#release({ kind: "crashed" });
  }

  /** What tells this stream from others in the log. */
  #named(): LogFields {
    return { stream: this.#id, rpc: this.rpc, protocol: this.protocol };
  }

  /** The end: nothing of the feed and the clock is held any more (I12, R-47). */
  #release(end: StreamEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#disarm();
    this.#replays.cancelAll();
    this.#host.feed.unwatch(this, [...this.#session.topics()]);
  }
}
