import type { Clock } from "../../../src/base/clock";
import type { Mutate } from "../../../src/core/frame";
import { topicBytes } from "../../../src/core/topic";
import {
  type SubscribeRequest,
  type SubscribeRequest_V1_Mutate,
  SubscribeRequestSchema,
  type SubscribeResponse_V1Schema,
} from "../../../src/wire/gen/mls/api/v1/mls_pb";
import { decodeBytes, type InitOf } from "../../../src/wire/init";
import type { Broken } from "./faults";
import { Heartbeat } from "./heartbeat";
import type { MessageLog } from "./log";
import { STATUS, type Status } from "./status";
import { type Delivery, Subscriptions, type WaveEnd } from "./subscriptions";

/** The arm of a SubscribeResponse. */
export type Response = NonNullable<InitOf<typeof SubscribeResponse_V1Schema>["response"]>;

/** What a stream speaks through. At most one frame is under way. */
export interface Wire {
  /** `done`: there is room for the next one. */
  send(response: Response, done: () => void): void;
  /** Ends the stream, behind what was sent. */
  end(status: Status): void;
}

export interface StreamParts {
  readonly log: MessageLog;
  readonly broken: Broken;
  readonly clock: Clock;
  /** `undefined` where a stream has neither Started nor Pings. */
  readonly keepaliveMs: number | undefined;
}

const TOPICS_PER_FRAME = 1_000;
const PINGS_PER_SECOND = 10;
const PING_BURST = 100;

/** One stream of the model: what it hears changes it at once; what it says is decided when the wire has room. */
export class ModelStream {
  readonly #parts: StreamParts;
  readonly #wire: Wire;
  readonly #subscriptions: Subscriptions;
  readonly #heartbeat: Heartbeat | undefined;
  readonly #listening: Disposable;
  /** What goes out before any delivery, in order. */
  readonly #outbox: Response[] = [];
  readonly #heldAcks: Response[] = [];
  #isSending = false;
  #isPumpDue = false;
  #hasStarted = false;
  #halfClosed = false;
  /** How the stream ends once its waves are through. */
  #lastStatus: Status | undefined;
  #over = false;
  #pingTokens = PING_BURST;
  #pingTokensAt: number;

  constructor(wire: Wire, parts: StreamParts) {
    const { log, broken, clock, keepaliveMs } = parts;
    this.#parts = parts;
    this.#wire = wire;
    this.#subscriptions = new Subscriptions(log, broken);
    this.#pingTokensAt = clock.now();
    this.#listening = log.listen((stored) => {
      this.#subscriptions.stored(stored);
      this.#schedule();
    });
    if (keepaliveMs === undefined) return;
    this.#heartbeat = new Heartbeat({
      broken,
      clock,
      keepaliveMs,
      ask: (nonce) => this.#say({ case: "ping", value: { nonce } }),
      reap: () => this.#end({ code: STATUS.deadlineExceeded, words: `no Pong within ${keepaliveMs} ms` }),
      isBlocked: () => this.#isSending,
    });
    if (!broken("started-waits-for-a-request")) this.#start(keepaliveMs);
  }

  /** A whole message of the request. */
  request(bytes: Uint8Array): void {
    if (this.#over) return;
    let request: SubscribeRequest;
    try {
      request = decodeBytes(SubscribeRequestSchema, bytes);
    } catch {
      this.#end({ code: STATUS.invalidArgument, words: "not a SubscribeRequest" });
      return;
    }
    this.#startIfLate();
    this.#heartbeat?.received();
    this.#onRequest(request);
  }

  mutate(mutate: Mutate): void {
    if (this.#over || this.#lastStatus !== undefined) return;
    const refusal = this.#subscriptions.refusal(mutate);
    if (refusal !== undefined) {
      const code = refusal.kind === "badRequest" ? STATUS.invalidArgument : STATUS.resourceExhausted;
      this.#refuse(mutate, { code, words: refusal.words });
      return;
    }
    if (this.#subscriptions.apply(mutate) === "nothing") this.#ack(mutate);
    this.#schedule();
  }

  halfClose(): void {
    if (this.#over) return;
    this.#startIfLate();
    this.#halfClosed = true;
    this.#heartbeat?.stop();
    if (this.#parts.broken("half-close-drops-acks")) this.#end({ code: STATUS.ok, words: "" });
    this.#schedule();
  }

  /** What is wrong with the request is not for this stream to say. */
  fail(status: Status): void {
    this.#end(status);
  }

  /** The peer is gone. */
  release(): void {
    this.#over = true;
    this.#listening[Symbol.dispose]();
    this.#heartbeat?.stop();
  }

  #onRequest({ version }: SubscribeRequest): void {
    const { broken } = this.#parts;
    if (version.case !== "v1") {
      if (!broken("unknown-version-ignored")) this.#end({ code: STATUS.invalidArgument, words: "no known version" });
      return;
    }
    const { request } = version.value;
    switch (request.case) {
      case "mutate":
        this.mutate(mutateOf(request.value));
        break;
      case "ping":
        this.#onPing(request.value.nonce);
        break;
      case "pong":
        this.#heartbeat?.answered(request.value.nonce);
        break;
      case undefined:
        if (broken("unknown-request-refused")) this.#end({ code: STATUS.invalidArgument, words: "unknown request" });
        break;
      default:
        request satisfies never;
    }
  }

  #onPing(nonce: bigint): void {
    const { broken, clock } = this.#parts;
    const now = clock.now();
    const back = ((now - this.#pingTokensAt) / 1_000) * PINGS_PER_SECOND;
    this.#pingTokens = Math.min(PING_BURST, this.#pingTokens + back) - 1;
    this.#pingTokensAt = now;
    if (this.#pingTokens < 0 && !broken("no-limits")) {
      const words = `client Pings: at most ${PINGS_PER_SECOND} per second, ${PING_BURST} at once`;
      this.#end({ code: STATUS.resourceExhausted, words });
      return;
    }
    if (broken("pings-unanswered")) return;
    const last = (1n << 64n) - 1n;
    const wrong = nonce === last ? 0n : nonce + 1n;
    this.#say({ case: "pong", value: { nonce: broken("pong-of-another-nonce") ? wrong : nonce } });
  }

  #refuse(mutate: Mutate, status: Status): void {
    const good = mutate.adds.filter(({ topic }) => topic.length > 1 && topic.charCodeAt(0) <= 1);
    if (!this.#parts.broken("mutate-applied-in-part") || good.length === 0) {
      this.#end(status);
      return;
    }
    this.#subscriptions.apply({ ...mutate, adds: good, removes: [] });
    this.#lastStatus = status;
    this.#schedule();
  }

  #ack({ id, adds, removes }: Mutate): void {
    const { broken } = this.#parts;
    if (broken("removes-only-unacked") && adds.length === 0 && removes.length > 0) return;
    const ack: Response = { case: "catchupComplete", value: { mutateId: id } };
    if (broken("acks-behind-waves") && this.#subscriptions.waves > 0) {
      this.#heldAcks.push(ack);
      return;
    }
    if (broken("acks-newest-first")) this.#outbox.splice(this.#outbox[0]?.case === "started" ? 1 : 0, 0, ack);
    else this.#outbox.push(ack);
    if (broken("ack-twice")) this.#outbox.push(ack);
  }

  #start(keepaliveMs: number): void {
    this.#hasStarted = true;
    this.#outbox.push({ case: "started", value: { keepaliveIntervalMs: keepaliveMs } });
    this.#pump();
  }

  #startIfLate(): void {
    const { keepaliveMs } = this.#parts;
    if (keepaliveMs !== undefined && !this.#hasStarted) this.#start(keepaliveMs);
  }

  #say(response: Response): void {
    this.#outbox.push(response);
    this.#schedule();
  }

  /** In a turn of its own, so that requests which came together are all applied first. */
  #schedule(): void {
    if (this.#isPumpDue || this.#over) return;
    this.#isPumpDue = true;
    setImmediate(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#over || this.#isSending) return;
    const response = this.#next();
    if (response === undefined) {
      this.#endIfDone();
      return;
    }
    this.#isSending = true;
    this.#heartbeat?.sent();
    this.#wire.send(response, () => {
      this.#isSending = false;
      this.#pump();
    });
  }

  #next(): Response | undefined {
    const said = this.#outbox.shift();
    if (said !== undefined) return said;
    const { broken } = this.#parts;
    const silent = broken("half-close-ends-live") && this.#halfClosed;
    const live = silent ? undefined : this.#subscriptions.nextLive();
    if (live !== undefined) return deliveryOf(live);
    const wave = this.#subscriptions.nextOfWaves();
    if (wave === undefined) return this.#heldAcks.shift();
    if ("delivery" in wave) return deliveryOf(wave.delivery);
    this.#outbox.push(...this.#endOf(wave.end));
    return this.#next();
  }

  /** */
  #endOf({ id, topics }: WaveEnd): readonly Response[] {
    const { broken } = this.#parts;
    const listed: Response[] = [];
    for (let at = 0; at < topics.length; at += TOPICS_PER_FRAME) {
      const part = topics.slice(at, at + TOPICS_PER_FRAME).map(topicBytes);
      listed.push({ case: "topicsLive", value: { topics: part } });
    }
    const complete: Response = { case: "catchupComplete", value: { mutateId: id } };
    if (broken("topics-live-missing")) return [complete];
    return broken("topics-live-late") ? [complete, ...listed] : [...listed, complete];
  }

  /** */
  #endIfDone(): void {
    if (this.#lastStatus !== undefined) this.#end(this.#lastStatus);
    else if (this.#halfClosed && !this.#parts.broken("half-close-never-ends"))
      this.#end({ code: STATUS.ok, words: "" });
  }

  #end(status: Status): void {
    if (this.#over) return;
    this.release();
    this.#wire.end(status);
  }
}

function deliveryOf({ lane, rows }: Delivery): Response {
  const groupMessages = rows.flatMap(({ delivered }) => (delivered.kind === 0 ? [delivered.group] : []));
  const welcomeMessages = rows.flatMap(({ delivered }) => (delivered.kind === 1 ? [delivered.welcome] : []));
  return { case: "messages", value: { groupMessages, welcomeMessages, mutateId: lane } };
}

function mutateOf({ mutateId, adds, removes, historyOnly }: SubscribeRequest_V1_Mutate): Mutate {
  const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  return {
    id: mutateId,
    adds: adds.map(({ topic, idCursor }) => ({ topic: latin1(topic), cursor: idCursor })),
    removes: removes.map(latin1),
    historyOnly,
  };
}
