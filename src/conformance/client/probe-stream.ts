import { type SubscribeRequest_V1Schema, SubscribeRequestSchema } from "../../wire/gen/mls/api/v1/mls_pb";
import { encodeInit, type InitOf } from "../../wire/init";
import { expectSame, expectThat } from "../failure";
import type { Ledger } from "../ledger";
import { StreamLog } from "../stream-log";
import type { Call, CallEnd, Connection } from "./connection";
import { EnvelopeReader, envelope, showStatus } from "./grpc";
import { type Heard, type HeardFrame, type HeardMessage, hear, showFrame } from "./heard";
import { type Change, mutateInit, mutateOf } from "./mutate";
import type { Waiters } from "./wait";

export const SUBSCRIBE_PATH = "/xmtp.mls.api.v1.MlsApi/Subscribe";

export interface ProbeStreamParts {
  readonly connection: Connection;
  /** Whether it is the one by which the case publishes. */
  readonly ownConnection: boolean;
  readonly ledger: Ledger;
  readonly waiters: Waiters;
  /** How long to wait for what has to come soon, in milliseconds. */
  readonly patienceMs: number;
  /** Whether Pings are answered. */
  readonly answering: boolean;
}

/** One Subscribe stream: says what it is told to, and keeps everything it hears. */
export class ProbeStream {
  readonly log: StreamLog;
  readonly frames: HeardFrame[] = [];
  readonly #parts: ProbeStreamParts;
  readonly #call: Call;
  readonly #reader = new EnvelopeReader();
  #answering: boolean;
  #hasHeaders = false;
  #cancelled = false;
  #end: CallEnd | undefined;
  #unreadable: string | undefined;
  #nextNonce = 1_000_000n;
  #pauseAt: ((said: HeardFrame) => boolean) | undefined;

  constructor(parts: ProbeStreamParts) {
    this.#parts = parts;
    this.#answering = parts.answering;
    this.log = new StreamLog(parts.ledger, parts.ownConnection);
    this.log.answersAll = parts.answering;
    this.#call = parts.connection.call(SUBSCRIBE_PATH, {
      headers: () => this.#change(() => this.#onHeaders()),
      data: (chunk) => this.#change(() => this.#onData(chunk)),
      ended: (end) => this.#change(() => this.#onEnded(end)),
    });
  }

  /** How the stream ended; `undefined` while it has not. */
  get end(): CallEnd | undefined {
    return this.#end;
  }

  /** Whether this side let go of it: nothing that is still owed will come. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Why what was heard cannot be understood, if so. */
  get unreadable(): string | undefined {
    return this.#unreadable;
  }

  get hasHeaders(): boolean {
    return this.#hasHeaders;
  }

  mutate(id: bigint, change: Change): void {
    const mutate = mutateOf(id, change);
    this.log.sent({ kind: "mutate", mutate });
    this.#write({ case: "mutate", value: mutateInit(mutate) });
  }

  ping(nonce: bigint): void {
    this.log.sent({ kind: "ping", nonce });
    this.#write({ case: "ping", value: { nonce } });
  }

  pong(nonce: bigint): void {
    this.log.sent({ kind: "pong", nonce });
    this.#write({ case: "pong", value: { nonce } });
  }

  /** A message of these bytes; `malformed`: they are no request and end the stream (R-4). */
  message(bytes: Uint8Array, meaning: "malformed" | "ignored"): void {
    this.log.sent({ kind: meaning });
    this.#call.write(envelope(bytes));
  }

  /** A Ping as these bytes of a message say it. */
  pingIn(nonce: bigint, bytes: Uint8Array): void {
    this.log.sent({ kind: "ping", nonce });
    this.#call.write(envelope(bytes));
  }

  /** The same, byte by byte; `pause` is waited for between them. */
  async pingInPieces(nonce: bigint, bytes: Uint8Array, pause: () => Promise<void>): Promise<void> {
    this.log.sent({ kind: "ping", nonce });
    for (const byte of envelope(bytes)) {
      this.#call.write(Uint8Array.of(byte));
      await pause();
    }
  }

  /** Bytes as they are, without an envelope: they end the stream. */
  bytes(bytes: Uint8Array): void {
    this.log.sent({ kind: "malformed" });
    this.#call.write(bytes);
  }

  halfClose(): void {
    this.log.sent({ kind: "halfClose" });
    this.#call.end();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#call.cancel();
  }

  /** Stops reading at the first frame that fits, until {@link resume}; the server may send what the window has room for. */
  pauseAt(fits: (said: HeardFrame) => boolean): void {
    this.#pauseAt = fits;
  }

  resume(): void {
    this.#call.resume();
  }

  /** From now on no Ping is answered. */
  stopAnswering(): void {
    this.#answering = false;
    this.log.answersAll = false;
  }

  /** What the server may choose to refuse with RESOURCE_EXHAUSTED follows. */
  goBeyondLimits(): void {
    this.log.mayExceedLimits = true;
  }

  /** Ids delivered in a lane so far, of one topic or of all. */
  idsOf(lane: bigint, topic?: string): readonly bigint[] {
    return this.messagesOf(lane)
      .filter((message) => topic === undefined || message.topic === topic)
      .map(({ id }) => id);
  }

  /** Messages delivered in a lane so far. */
  messagesOf(lane: bigint): readonly HeardMessage[] {
    return this.frames.flatMap((said) => (said.kind === "messages" && said.lane === lane ? said.messages : []));
  }

  /** How many frames of a kind have been heard. */
  count(kind: HeardFrame["kind"]): number {
    return this.frames.filter((said) => said.kind === kind).length;
  }

  /** Ids of the CatchupCompletes heard so far, in order. */
  get completed(): readonly bigint[] {
    return this.frames.flatMap((said) => (said.kind === "catchupComplete" ? [said.mutateId] : []));
  }

  /** Whether a TopicsLive has listed a topic. */
  announced(topic: string): boolean {
    return this.frames.some((said) => said.kind === "topicsLive" && said.topics.some((listed) => listed === topic));
  }

  /** Where the first frame that fits stands among those heard; -1 if there is none. */
  indexOf(fits: (said: HeardFrame) => boolean): number {
    return this.frames.findIndex(fits);
  }

  /** Waits until something holds. @throws ConformanceFailure in these words if it does not, or the stream ends. */
  until(holds: () => boolean, what: string, withinMs = this.#parts.patienceMs): Promise<true> {
    return this.#parts.waiters.until(() => holds() || undefined, {
      what,
      withinMs,
      instead: () => this.account(),
      hopeless: () => this.#end !== undefined || this.#unreadable !== undefined,
    });
  }

  async started(withinMs?: number): Promise<void> {
    await this.until(() => this.frames.length > 0, "Started", withinMs);
  }

  /** Waits for the CatchupComplete of a Mutate: the first, or the `times`th with this id. */
  async complete(id: bigint, times = 1): Promise<void> {
    const found = () => this.completed.filter((completed) => completed === id).length >= times;
    await this.until(found, `CatchupComplete ${id}`);
  }

  /** Waits until a lane has delivered these ids of a topic. */
  async delivered(lane: bigint, topic: string, ids: readonly bigint[]): Promise<void> {
    const has = () => {
      const found = new Set(this.idsOf(lane, topic));
      return ids.every((id) => found.has(id));
    };
    await this.until(has, `${ids.length} messages ${lane === 0n ? "live" : `in wave ${lane}`} (ids ${ids.join(", ")})`);
  }

  /** Adds topics and waits for the end of their wave. */
  async subscribe(id: bigint, ...add: NonNullable<Change["add"]>): Promise<void> {
    this.mutate(id, { add });
    await this.complete(id);
  }

  /** Sends a Ping and returns its nonce, which no other has. */
  askBarrier(): bigint {
    const nonce = this.#nextNonce++;
    this.ping(nonce);
    return nonce;
  }

  /** Whether a Ping has been answered. */
  hasAnswered(nonce: bigint): boolean {
    return this.frames.some((said) => said.kind === "pong" && said.nonce === nonce);
  }

  /** Waits until the server has answered a Ping: everything sent before has been read. */
  async barrier(): Promise<void> {
    const nonce = this.askBarrier();
    await this.until(() => this.hasAnswered(nonce), `Pong ${nonce}`);
  }

  /** Waits for the stream's end. */
  ended(withinMs = this.#parts.patienceMs): Promise<CallEnd> {
    const wait = { what: "the stream's end", withinMs, instead: () => this.account() };
    return this.#parts.waiters.until(() => this.#end, wait);
  }

  /** Waits for the stream's end with a status, in words that name `says`, if told. */
  async endsWith(code: number, says?: RegExp): Promise<void> {
    const end = await this.ended();
    expectThat(end.code === code, `the stream to end with code ${code}`, showStatus(end));
    if (says !== undefined) expectThat(says.test(end.message), `a message that says ${says.source}`, showStatus(end));
  }

  /** The messages of a lane, exactly, kind by kind ascending. */
  expectIds(lane: bigint, topic: string, ids: readonly bigint[]): void {
    const where = lane === 0n ? "live" : `in wave ${lane}`;
    expectSame(this.idsOf(lane, topic), ids, `messages ${where}`);
  }

  /** What has been heard, in words. */
  account(): string {
    if (this.#unreadable !== undefined) return `what cannot be read: ${this.#unreadable}`;
    const shown = this.frames.slice(-8).map(showFrame).join(", ");
    const frames = this.frames.length > 8 ? `… ${shown} (${this.frames.length} frames)` : shown;
    const end = this.#end === undefined ? [] : [showStatus(this.#end)];
    return [frames === "" ? "nothing" : frames, ...end].join(", then ");
  }

  #write(request: NonNullable<InitOf<typeof SubscribeRequest_V1Schema>["request"]>): void {
    this.#call.write(envelope(encodeInit(SubscribeRequestSchema, { version: { case: "v1", value: { request } } })));
  }

  #onHeaders(): void {
    this.#hasHeaders = true;
  }

  #onData(chunk: Buffer): void {
    for (const { flags, message } of this.#reader.push(chunk)) {
      if (flags !== 0) this.#unreadable ??= `an envelope with flags ${flags}, although no compression was agreed on`;
      else this.#onHeard(hear(message));
    }
  }

  #onHeard(heard: Heard): void {
    if (heard.kind === "unreadable") this.#unreadable ??= heard.why;
    if (heard.kind !== "frame") return;
    const { frame } = heard;
    this.frames.push(frame);
    this.log.heard(frame);
    if (this.#pauseAt?.(frame) === true) {
      this.#pauseAt = undefined;
      this.#call.pause();
    }
    if (frame.kind === "ping" && this.#answering && this.#end === undefined) this.pong(frame.nonce);
  }

  #onEnded(end: CallEnd): void {
    this.#end = end;
    if (this.#cancelled) return;
    if (this.#reader.heldBytes > 0) this.#unreadable ??= "a body that ends in the middle of a message";
    this.log.ended(end);
  }

  #change(what: () => void): void {
    what();
    this.#parts.waiters.wake();
  }
}
