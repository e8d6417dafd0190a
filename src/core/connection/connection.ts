import type { Millis } from "../time";
import type { Topic } from "../topic";
import { Backoff } from "./backoff";
import type {
  ClientRequest,
  ConnectionEffect,
  ConnectionEnd,
  ConnectionEvent,
  ConnectionOptions,
  Loss,
  Positioned,
  ServerFrame,
  StreamNumber,
  Want,
} from "./events";
import { RESUMABLE } from "./status";
import { Wanted } from "./wanted";
import { intervalOf, Watchdog } from "./watchdog";

/** How long the end of a stream may take after the half-close, when there is nothing left to deliver. */
const DRAIN_MS = 5_000;
/** Two suspensions within this time are one. */
const DEBOUNCE_MS = 1_000;
/** More unanswered Pings than this nobody can have meant; the oldest are dropped. */
const MAX_PONGS = 1_000;

type StreamEvent<M extends Positioned> = Extract<ConnectionEvent<M>, { readonly stream: StreamNumber }>;

type State =
  | { readonly kind: "waiting"; readonly until: Millis }
  | { readonly kind: "opening"; readonly stream: StreamNumber; readonly until: Millis }
  | { readonly kind: "streaming"; readonly stream: StreamNumber; readonly since: Millis; readonly watchdog: Watchdog }
  /** Half-closed with nothing left to come but the end. No watchdog: the server pings no more. */
  | { readonly kind: "draining"; readonly stream: StreamNumber; readonly until: Millis }
  | { readonly kind: "over" };

/**
 * The client's twin of the server's session: keeps one stream alive over failures, and hands every wanted
 * message to the consumer exactly once.
 *
 * Pure: time comes in as an argument, bytes and timers are the caller's. The caller reports events, pulls
 * requests with {@link nextRequest} whenever the wire has room, carries out the effects after each event,
 * and sends `wake` at the {@link deadline}.
 */
export class Connection<M extends Positioned> {
  readonly #options: ConnectionOptions;
  readonly #wanted: Wanted;
  readonly #backoff = new Backoff();
  #state: State;
  #effects: ConnectionEffect<M>[] = [];
  /** Nonces of Pings to be answered (C-1). */
  #pongs: bigint[] = [];
  /** The nonce of a Ping of our own that is to be sent. */
  #ping: bigint | undefined;
  #nextNonce = 1n;
  #lastStream: StreamNumber = 0;
  /** Attempts in a row of which nothing came: no Started, or of a bounded sync no history. */
  #attempts = 0;
  #finishing = false;
  #paused = false;
  #resumedAt = Number.NEGATIVE_INFINITY;

  /** The first `open` is among the effects at once. */
  constructor(options: ConnectionOptions, now: Millis) {
    this.#options = options;
    this.#wanted = new Wanted(options.historyOnly, options.mutateLimits);
    this.#state = this.#open(now);
  }

  /** When to send `wake`; `undefined`: not for now. */
  get deadline(): Millis | undefined {
    if (this.#state.kind === "over") return undefined;
    return this.#state.kind === "streaming" ? this.#state.watchdog.deadline : this.#state.until;
  }

  /** Up to where a topic has been handed to the consumer: the cursor to begin from another time (C-3). */
  cursorOf(topic: Topic): bigint | undefined {
    return this.#wanted.cursorOf(topic);
  }

  /** The same for every wanted topic. */
  cursors(): Iterable<Want> {
    return this.#wanted.cursors();
  }

  handle(event: ConnectionEvent<M>, now: Millis): void {
    if (this.#state.kind === "over") return;
    switch (event.kind) {
      case "add":
        for (const want of event.wants) this.#wanted.add(want);
        break;
      case "remove":
        for (const topic of event.topics) this.#wanted.remove(topic);
        break;
      case "finish":
        this.#finishing = true;
        break;
      case "close":
        this.#abandon();
        this.#end({ kind: "closed" });
        break;
      case "frame":
      case "heard":
      case "ended":
        if (event.stream === this.#stream) this.#fromStream(event, now);
        break;
      case "paused":
      case "reading":
        this.#pause(event.kind === "paused", now);
        break;
      case "resumed":
        this.#resumed(now);
        break;
      case "wake":
        if (this.deadline !== undefined && now >= this.deadline) this.#wake(now);
        break;
      default:
        event satisfies never;
    }
  }

  /** What to say next on the open stream; `undefined`: nothing for now. What is returned counts as sent. */
  nextRequest(now: Millis): ClientRequest | undefined {
    if (this.#state.kind !== "opening" && this.#state.kind !== "streaming") return undefined;
    const pong = this.#pongs.shift();
    if (pong !== undefined) return { kind: "pong", nonce: pong };
    if (this.#ping !== undefined) {
      const nonce = this.#ping;
      this.#ping = undefined;
      return { kind: "ping", nonce };
    }
    const mutate = this.#wanted.nextMutate();
    if (mutate !== undefined) return { kind: "mutate", mutate };
    if (!this.#finishing || !this.#wanted.settled) return undefined;
    this.#state = { kind: "draining", stream: this.#state.stream, until: now + DRAIN_MS };
    return { kind: "halfClose" };
  }

  /** What is to be done and told, in order; each effect is handed out once. */
  takeEffects(): readonly ConnectionEffect<M>[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  get #stream(): StreamNumber | undefined {
    return this.#state.kind === "waiting" || this.#state.kind === "over" ? undefined : this.#state.stream;
  }

  #fromStream(event: StreamEvent<M>, now: Millis): void {
    if (event.kind === "ended") {
      const { status, detail } = event;
      const helps = RESUMABLE[status] || this.#state.kind === "draining";
      if (helps) this.#lost({ status, detail }, now);
      else this.#end({ kind: "refused", loss: { status, detail } });
      return;
    }
    if (this.#state.kind === "streaming") this.#state.watchdog.heard(now);
    if (event.kind === "frame") this.#frame(event.frame, now);
  }

  #frame(frame: ServerFrame<M>, now: Millis): void {
    // A node says Started without its store, too: a bounded sync would come back to it for ever.
    if (frame.kind === "messages" || frame.kind === "catchupComplete" || !this.#options.historyOnly) this.#attempts = 0;
    switch (frame.kind) {
      case "started":
        this.#wanted.started(frame.ascending ?? "kind");
        this.#started(frame.keepaliveMs, now);
        break;
      case "ping":
        this.#pongs.push(frame.nonce);
        if (this.#pongs.length > MAX_PONGS) this.#pongs.shift();
        break;
      case "pong":
        if (this.#state.kind === "streaming") this.#state.watchdog.pong(frame.nonce, now);
        break;
      case "messages": {
        const messages = this.#wanted.accept(frame.lane, frame.messages);
        if (messages.length > 0) this.#effects.push({ kind: "deliver", lane: frame.lane, messages });
        break;
      }
      case "topicsLive": {
        const topics = this.#wanted.stillWanted(frame.topics);
        if (topics.length > 0) this.#effects.push({ kind: "topicsLive", topics });
        break;
      }
      case "catchupComplete": {
        const topics = this.#wanted.complete(frame.mutateId);
        if (topics !== undefined) this.#effects.push({ kind: "catchupComplete", mutateId: frame.mutateId, topics });
        break;
      }
      default:
        frame satisfies never;
    }
  }

  #started(announcedMs: Millis, now: Millis): void {
    if (this.#state.kind !== "opening") return;
    const keepaliveMs = intervalOf(announcedMs);
    const watchdog = new Watchdog({ intervalMs: keepaliveMs, probeMs: this.#probeMs }, now);
    if (this.#paused) watchdog.pause();
    this.#state = { kind: "streaming", stream: this.#state.stream, since: now, watchdog };
    this.#effects.push({ kind: "state", state: { kind: "connected", keepaliveMs } });
  }

  #pause(paused: boolean, now: Millis): void {
    this.#paused = paused;
    if (this.#state.kind !== "streaming") return;
    if (paused) this.#state.watchdog.pause();
    else this.#state.watchdog.unpause(now);
  }

  /** The machine slept. A stream that answers a Ping has survived it; one that does not is replaced at once. */
  #resumed(now: Millis): void {
    if (now - this.#resumedAt < DEBOUNCE_MS) return;
    this.#resumedAt = now;
    if (this.#state.kind === "waiting") this.#state = this.#open(now);
    else if (this.#state.kind === "opening") this.#state = { ...this.#state, until: now + this.#probeMs };
    else if (this.#state.kind === "streaming") this.#probe(this.#state.watchdog, now);
  }

  /** The deadline has come. */
  #wake(now: Millis): void {
    switch (this.#state.kind) {
      case "waiting":
        this.#state = this.#open(now);
        break;
      case "opening":
        this.#giveUp("the node did not begin the stream in time", now);
        break;
      case "streaming": {
        const todo = this.#state.watchdog.wake(now);
        if (todo === "ask") this.#ping = this.#nextNonce++;
        else if (todo === "giveUp") this.#giveUp("the node has fallen silent", now);
        else if (todo === "replace") this.#giveUp("the stream did not survive a suspension", now, 0);
        break;
      }
      case "draining":
        this.#abandon();
        this.#end({ kind: "finished" });
        break;
      case "over":
        break;
      default:
        this.#state satisfies never;
    }
  }

  #probe(watchdog: Watchdog, now: Millis): void {
    this.#ping = this.#nextNonce++;
    watchdog.probe(this.#ping, now);
  }

  #giveUp(detail: string, now: Millis, retryMs?: Millis): void {
    this.#abandon();
    this.#lost({ status: "unavailable", detail }, now, retryMs);
  }

  /** The stream is gone, and a new one may help: after `retryMs`, or after as long as the backoff says. */
  #lost(loss: Loss, now: Millis, retryMs?: Millis): void {
    if (this.#finishing && this.#wanted.settled) {
      this.#end({ kind: "finished" });
      return;
    }
    if (this.#attempts >= (this.#options.maxAttempts ?? Number.POSITIVE_INFINITY)) {
      this.#end({ kind: "unreachable", loss });
      return;
    }
    const livedMs = this.#state.kind === "streaming" ? now - this.#state.since : 0;
    const backoffMs = this.#backoff.next(livedMs, this.#options.random());
    const waitMs = retryMs ?? backoffMs;
    this.#wanted.interrupted();
    this.#pongs = [];
    this.#ping = undefined;
    this.#state = { kind: "waiting", until: now + waitMs };
    this.#effects.push({ kind: "state", state: { kind: "waiting", retryMs: waitMs, loss } });
  }

  #open(now: Millis): State {
    this.#attempts++;
    const stream = ++this.#lastStream;
    this.#effects.push({ kind: "state", state: { kind: "connecting" } }, { kind: "open", stream });
    return { kind: "opening", stream, until: now + (this.#options.openMs ?? 10_000) };
  }

  #abandon(): void {
    const stream = this.#stream;
    if (stream !== undefined) this.#effects.push({ kind: "abandon", stream });
  }

  #end(end: ConnectionEnd): void {
    this.#state = { kind: "over" };
    this.#effects.push({ kind: "over", end });
  }

  get #probeMs(): Millis {
    return this.#options.probeMs ?? 5_000;
  }
}
