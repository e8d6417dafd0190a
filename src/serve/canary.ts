/** Measures what a user feels: a message of the node's own, from its publication to a stream that waits for it. */

import { createHash, randomBytes } from "node:crypto";
import { type Clock, pause } from "../base/clock";
import { type Logger, silentLogger } from "../base/log";
import type { CanaryMetrics } from "../base/metrics";
import type { Frame } from "../core/frame";
import { DEFAULT_LIMITS } from "../core/limits";
import { GROUP, type Topic, topicOf } from "../core/topic";
import type { Feed } from "../feed/types";
import type { Deleter, Reader } from "../store/types";
import { encodeGroupBody } from "../wire/entry";
import { createStreamHost, noStreamMetrics, type StreamHost } from "./stream/host";
import { StreamRunner } from "./stream/runner";

export interface CanaryOptions {
  readonly feed: Feed;
  readonly reader: Pick<Reader, "isStandby">;
  readonly deleter: Pick<Deleter, "deleteBeginning">;
  /** How often one is sent, in milliseconds. */
  readonly everyMs: number;
  readonly metrics: CanaryMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How the canaries fare. */
export interface CanaryState {
  /** Milliseconds since one came through, or since there are any if none has. */
  readonly silentMs: number;
  /** From which silence on the node is not well, in milliseconds. */
  readonly limitMs: number;
  /** How long the last one took, in milliseconds; `undefined` if none has come through yet. */
  readonly lastMs: number | undefined;
  /** The database is a standby. One that is since the node began is no fault: silence begins when it is none any more. */
  readonly isStandby: boolean;
}

/** Canaries on their way from time to time. Disposing of it ends that. */
export interface Canary extends AsyncDisposable {
  readonly state: CanaryState;
}

/** One that is on its way. */
interface Flight {
  /** What its message holds, and no other. */
  readonly nonce: Buffer;
  readonly sentAt: number;
}

/** Canaries that may fail in a row, or be late, before the node counts as not well; and the least time for that, in milliseconds. */
const MISSED = 3;
const LEAST_LIMIT_MS = 10_000;
/** How old a canary's message becomes before it is deleted, in milliseconds, and how often that is done. */
const KEPT_MS = 60_000;
/** Canaries on their way at most: an older one is lost. */
const MAX_FLIGHTS = 16;
const STALL_MS = 60_000;

/**
 * Begins every identifier that canaries are published to, in the databases of all nodes; random bytes follow, so that
 * no user ever meets one. It marks the messages that any node may delete.
 */
export const CANARY_PREFIX = topicOf(GROUP, Buffer.from("tideline.canary."));

/** Sends a canary at once, and then again and again. */
export function startCanary(options: CanaryOptions): Canary {
  return new CanaryBird(options);
}

class CanaryBird implements Canary {
  readonly #options: CanaryOptions;
  readonly #host: StreamHost;
  readonly #topic: Topic;
  readonly #groupId: Uint8Array;
  readonly #stopping = new AbortController();
  readonly #flights: Flight[] = [];
  readonly #flying: Promise<void>;
  #stream: StreamRunner | undefined;
  #heardAt: number;
  #deletedAt: number;
  #lastMs: number | undefined;
  #failing = false;
  /** As far as was asked; until a canary has come through. */
  #isStandby = false;

  constructor(options: CanaryOptions) {
    const { feed, clock } = options;
    const identifier = Buffer.concat([Buffer.from(CANARY_PREFIX.slice(1), "latin1"), randomBytes(16)]);
    this.#options = options;
    this.#topic = topicOf(GROUP, identifier);
    this.#groupId = identifier;
    this.#heardAt = clock.now();
    this.#deletedAt = clock.now();
    const log = { ...silentLogger, error: options.log.error };
    const common = { feed, clock, log, metrics: noStreamMetrics, limits: DEFAULT_LIMITS };
    // A host of its own: it is neither counted nor drained with the streams of clients.
    this.#host = createStreamHost({ ...common, keepaliveMs: STALL_MS, stallMs: STALL_MS });
    this.#flying = this.#run();
  }

  get state(): CanaryState {
    const { clock, everyMs } = this.#options;
    const limitMs = Math.max(LEAST_LIMIT_MS, MISSED * everyMs);
    const silentMs = Math.round(clock.now() - this.#heardAt);
    const lastMs = this.#lastMs && Math.round(this.#lastMs * 10) / 10;
    return { silentMs, limitMs, lastMs, isStandby: this.#isStandby };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    this.#stream?.finish(true);
    await this.#flying;
  }

  async #run(): Promise<void> {
    const { clock, everyMs } = this.#options;
    const { signal } = this.#stopping;
    do {
      // Not waited for: one that is not answered must not keep the next one. The store waits for it when it closes.
      void this.#send();
    } while (await pause(clock, everyMs, signal));
  }

  async #send(): Promise<void> {
    const { feed, clock, log } = this.#options;
    if ((this.#lastMs === undefined || this.#failing) && (await this.#isOnStandby())) return;
    this.#listen();
    const nonce = randomBytes(32);
    this.#flights.push({ nonce, sentAt: clock.now() });
    if (this.#flights.length > MAX_FLIGHTS) this.#lose();
    const none = new Uint8Array();
    const body = encodeGroupBody({
      groupId: this.#groupId,
      data: nonce,
      senderHmac: none,
      shouldPush: false,
      isCommit: false,
    });
    const digest = createHash("sha256").update(nonce).digest();
    try {
      await feed.publish([{ kind: GROUP, topic: this.#topic, digest, ...body }]);
      await this.#deleteOld();
      if (this.#failing) log.info("canaries are stored again");
      this.#failing = false;
    } catch (error) {
      if (!this.#failing && !this.#stopping.signal.aborted)
        log.warn("canaries are not stored, or old ones not deleted", { error: `${error}` });
      this.#failing = true;
    }
  }

  /** Whether it is of no use to send one. If that cannot be told, another is of no use either. */
  async #isOnStandby(): Promise<boolean> {
    const { reader, clock, log } = this.#options;
    try {
      if (!(await reader.isStandby())) return false;
    } catch {
      return this.#isStandby; // the store has said so in the log, and silence grows
    }
    if (!this.#isStandby) log.info("the database is a standby: nobody can publish here");
    this.#isStandby = true;
    if (this.#lastMs === undefined) this.#heardAt = clock.now();
    return true;
  }

  /** Opens the stream, or another if it has ended. */
  #listen(): void {
    if (this.#stream !== undefined && this.#stream.end === undefined) return;
    this.#stream?.finish(true);
    const stream = new StreamRunner(this.#host, { rpc: "canary", protocol: "none", liveness: false }, () =>
      stream.pull({ frameBytes: Number.POSITIVE_INFINITY, take: (frame) => this.#take(frame) }),
    );
    this.#stream = stream;
    const cursor = this.#options.feed.tail.headIds[GROUP];
    const mutate = { id: 1n, adds: [{ topic: this.#topic, cursor }], removes: [], historyOnly: false };
    stream.push({ kind: "mutate", mutate });
  }

  #take(frame: Frame): true {
    if (frame.kind !== "messages") return true;
    for (const { entry } of frame.messages) this.#land(Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength));
    return true;
  }

  #land(entry: Buffer): void {
    const at = this.#flights.findIndex(({ nonce }) => entry.includes(nonce));
    const [flight] = at < 0 ? [] : this.#flights.splice(at, 1);
    if (flight === undefined) return;
    const { clock, metrics } = this.#options;
    this.#isStandby = false;
    this.#heardAt = clock.now();
    this.#lastMs = this.#heardAt - flight.sentAt;
    metrics.seconds.observe(this.#lastMs / 1_000);
    metrics.lastSeconds.set(this.#lastMs / 1_000);
  }

  #lose(): void {
    this.#flights.shift();
    this.#options.metrics.lost.add();
  }

  /** Also those of nodes that are no more. */
  async #deleteOld(): Promise<void> {
    const { clock, deleter } = this.#options;
    if (clock.now() - this.#deletedAt < KEPT_MS) return;
    this.#deletedAt = clock.now();
    await deleter.deleteBeginning(CANARY_PREFIX, BigInt(KEPT_MS) * 1_000_000n);
  }
}
