import { constants, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import { TokenBucket } from "../../core/rate";
import { ByteBudget, type SharedBudget } from "../byte-budget";
import { OtherBytes } from "./other-bytes";

/** How much a client may send ahead, per stream and per connection. They must be equal, or uploads may stall for ever. */
export const WINDOW_BYTES = 1024 * 1024;

/** What a single connection may do before it is cut. Generous: no client that means well meets one. */
export interface GuardOptions {
  /** Connections at once; further ones are closed as they come. */
  readonly maxConnections: number;
  /** How long a connection may take to say that it speaks HTTP/2, in milliseconds. */
  readonly handshakeMs: number;
  /** How long a connection may be without a stream and without a PING, in milliseconds. */
  readonly idleMs: number;
  /** How long a PING of ours may stay unanswered, in milliseconds, on a connection that may be dead. */
  readonly pingAnswerMs: number;
  /** How long a connection that was told to go may take to do so, in milliseconds. */
  readonly lingerMs: number;
  /** HTTP/2 PINGs: some clients measure the way with one after the other. */
  readonly pingsPerSecond: number;
  readonly pingBurst: number;
  /** SETTINGS frames. */
  readonly settingsPerSecond: number;
  readonly settingsBurst: number;
  /** Streams that the client resets, counted by the runtime. */
  readonly resetsPerSecond: number;
  readonly resetBurst: number;
  /**
   * Streams beyond those that a connection may have at once, in its whole life. Each is refused by itself, to be
   * tried again, and harms no other; the runtime would cut the connection at the hundredth.
   */
  readonly refusedStreams: number;
  /** Bytes of requests that are not whole or not answered yet, over all streams of the connection. See {@link SharedBudget} for those of all. */
  readonly heldRequestBytes: number;
  /** Bytes that are no part of a request, beyond one window: frames about frames, and headers beyond what a call needs. */
  readonly otherBytesPerSecond: number;
  readonly otherBytesBurst: number;
}

export const DEFAULT_GUARD: GuardOptions = {
  maxConnections: 20_000,
  handshakeMs: 10_000,
  idleMs: 600_000,
  pingAnswerMs: 30_000,
  lingerMs: 1_000,
  pingsPerSecond: 5_000,
  pingBurst: 20_000,
  settingsPerSecond: 10,
  settingsBurst: 100,
  resetsPerSecond: 200,
  resetBurst: 2_000,
  refusedStreams: 100_000,
  heldRequestBytes: 128 * 1024 * 1024,
  otherBytesPerSecond: 1024 * 1024,
  otherBytesBurst: 4 * 1024 * 1024,
};

export interface GuardParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: GuardOptions;
  /** Of all connections. */
  readonly held: SharedBudget;
}

/**
 * Watches one connection: one that says nothing, one that floods, one that is idle is closed; what it does
 * harms no other. Frames that are malformed, header blocks without end and answers nobody reads are noticed by the
 * runtime, which reports them as an error of the session.
 */
export class ConnectionGuard {
  /** Requests of this connection's streams that are not whole or not answered yet. */
  readonly budget: ByteBudget;
  readonly socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #parts: GuardParts;
  readonly #pings: TokenBucket;
  readonly #settings: TokenBucket;
  readonly #otherBytes: OtherBytes;
  readonly #otherBytesAllowed: TokenBucket;
  #streams = 0;
  #streamsSoFar = 0;
  #seenAt: number;
  #timer: Disposable | undefined;
  /** Runs while a PING of ours is out. */
  #suspicion: Disposable | undefined;
  #cut = false;

  constructor(session: ServerHttp2Session, socket: Socket, parts: GuardParts) {
    const { clock, options } = parts;
    const now = clock.now();
    this.#session = session;
    this.socket = socket;
    this.#parts = parts;
    this.budget = new ByteBudget(options.heldRequestBytes, parts.held);
    this.#pings = new TokenBucket(options.pingsPerSecond, options.pingBurst, now);
    this.#settings = new TokenBucket(options.settingsPerSecond, options.settingsBurst, now);
    this.#otherBytes = new OtherBytes(WINDOW_BYTES);
    this.#otherBytesAllowed = new TokenBucket(options.otherBytesPerSecond, options.otherBytesBurst, now);
    this.#seenAt = now;
    this.#timer = clock.after(options.handshakeMs, () => this.cut("no HTTP/2 handshake", constants.NGHTTP2_NO_ERROR));
    session.on("ping", () => this.#onFrame(this.#pings, "too many PINGs"));
    session.on("remoteSettings", () => this.#onSettings());
    // Without a listener an error of one connection would end the process.
    session.on("error", (error: Error) => parts.log.debug("connection failed", { error: error.message }));
    socket.on("error", () => {});
    socket.on("close", () => this.#stop());
  }

  streamOpened(): void {
    this.#streams++;
    this.#streamsSoFar++;
  }

  /** So many bytes have come over the socket so far: more than its requests explain are a flood of frames. */
  received(bytes: number): void {
    const requestBytes = this.budget.received;
    const moreBytes = this.#otherBytes.more({ bytes, requestBytes, calls: this.#streamsSoFar });
    if (this.#otherBytesAllowed.take(this.#parts.clock.now(), moreBytes)) return;
    this.cut("too much that is no request", constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** A listener of its own right: one function for all streams of the connection. */
  readonly streamClosed = () => {
    this.#streams--;
    this.#seenAt = this.#parts.clock.now();
  };

  /**
   * A stream's client is believed to be gone. If its HTTP/2 does not answer either, the connection is dead: it is not kept until it
   * has been idle for long enough, because a client that moves from net to net leaves many behind.
   */
  readonly suspect = () => {
    if (this.#suspicion !== undefined || this.#cut || this.#session.destroyed) return;
    const { clock, options } = this.#parts;
    this.#suspicion = clock.after(options.pingAnswerMs, () => this.cut("no answer", constants.NGHTTP2_NO_ERROR));
    this.#session.ping((error) => {
      if (error === null) this.#trust();
    });
  };

  /** Ends the connection: politely at first, then for good. */
  cut(why: string, code: number): void {
    if (this.#cut) return;
    this.#cut = true;
    this.#parts.log.info("connection cut", { why });
    this.#stop();
    if (!this.#session.destroyed) this.#session.destroy(undefined, code);
    this.#timer = this.#parts.clock.after(this.#parts.options.lingerMs, () => this.socket.destroy());
  }

  #onSettings(): void {
    const { clock, options } = this.#parts;
    this.#onFrame(this.#settings, "too many SETTINGS");
    if (this.#cut || this.#session.destroyed) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = clock.after(options.idleMs, () => this.#onIdle());
  }

  #onFrame(bucket: TokenBucket, why: string): void {
    const now = this.#parts.clock.now();
    this.#seenAt = now;
    if (!bucket.take(now)) this.cut(why, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #onIdle(): void {
    const { clock, options } = this.#parts;
    const idleMs = clock.now() - this.#seenAt;
    if (this.#streams === 0 && idleMs >= options.idleMs) {
      this.cut("idle", constants.NGHTTP2_NO_ERROR);
      return;
    }
    const restMs = this.#streams === 0 ? options.idleMs - idleMs : options.idleMs;
    this.#timer = clock.after(restMs, () => this.#onIdle());
  }

  #trust(): void {
    this.#suspicion?.[Symbol.dispose]();
    this.#suspicion = undefined;
  }

  #stop(): void {
    this.#trust();
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }
}
