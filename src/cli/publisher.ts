import { type Clock, pause } from "../base/clock";
import type { Io } from "../base/process";
import type { GroupMessageToSend, NodeApi } from "../client/index";
import { showIdentifier } from "./identifiers";
import { wrapPayload } from "./payload";

/** Where the messages go, and how data becomes a message. */
export type Target =
  | { readonly kind: "group"; readonly groupId: Uint8Array }
  | { readonly kind: "welcome"; readonly installationKey: Uint8Array }
  | { readonly kind: "rawGroup" };

/** What to do with the data. */
export interface Plan {
  readonly target: Target;
  /** How often each piece of data is published. */
  readonly count: number;
  /** Messages per second; `undefined`: as fast as can be. */
  readonly rate: number | undefined;
  /** Data is sent as it is. */
  readonly raw: boolean;
  readonly json: boolean;
  /** The node, for the summary. */
  readonly address: string;
}

/** Messages of one request: few enough for any node, and small enough for any transport. */
const MAX_BATCH = 500;
const MAX_BATCH_BYTES = 1 << 20;
/** WelcomeWrapperAlgorithm SYMMETRIC_KEY, the one that needs no public key. */
const SYMMETRIC_KEY = 3;

/** What {@link Publisher} works with. */
export interface PublisherParts {
  readonly plan: Plan;
  readonly api: NodeApi;
  readonly io: Io;
  readonly clock: Clock;
}

/** Sends data in order, at the rate asked for, and prints what the node has stored. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #startedMs: number;
  #acked = 0;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.now();
  }

  async publish(data: readonly Uint8Array[]): Promise<void> {
    const { plan, io } = this.#parts;
    let batch: Uint8Array[] = [];
    let bytes = 0;
    for (const piece of repeated(data, plan.count)) {
      if (io.signal.aborted) return;
      const full = batch.length >= Math.min(MAX_BATCH, this.#due()) || bytes + piece.length > MAX_BATCH_BYTES;
      if (batch.length > 0 && full) {
        await this.#send(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(piece);
      bytes += piece.length;
    }
    if (batch.length > 0) await this.#send(batch);
  }

  /** Tells how much was stored, if anything was. */
  summarise(): void {
    const { clock, io, plan } = this.#parts;
    if (this.#acked === 0 && !io.signal.aborted) return;
    const seconds = (clock.now() - this.#startedMs) / 1_000;
    const perSecond = seconds > 0 ? `, ${Math.round(this.#acked / seconds)}/s` : "";
    const many = this.#acked === 1 ? "1 message" : `${this.#acked} messages`;
    const open = io.signal.aborted ? "; interrupted, so what was under way may be stored as well" : "";
    io.stderr.write(`${many} stored by ${plan.address} in ${seconds.toFixed(2)} s${perSecond}${open}\n`);
  }

  async #send(batch: readonly Uint8Array[]): Promise<void> {
    const { io } = this.#parts;
    await this.#waitForTurn(batch.length);
    if (io.signal.aborted) return;
    await this.#request(batch);
    for (const data of batch) io.stdout.write(this.#acknowledged(data));
    await io.stdout.room();
  }

  /** How many messages may be under way by now; without a rate, any number. */
  #due(): number {
    const { plan, clock } = this.#parts;
    if (plan.rate === undefined) return Number.POSITIVE_INFINITY;
    return 1 + Math.floor(((clock.now() - this.#startedMs) / 1_000) * plan.rate) - this.#acked;
  }

  /** Sleeps until the last of the next `count` messages is due. */
  async #waitForTurn(count: number): Promise<void> {
    const { plan, clock, io } = this.#parts;
    if (plan.rate === undefined) return;
    const dueMs = this.#startedMs + ((this.#acked + count - 1) / plan.rate) * 1_000;
    const waitMs = dueMs - clock.now();
    if (waitMs > 0) await pause(clock, waitMs, io.signal);
  }

  async #request(batch: readonly Uint8Array[]): Promise<void> {
    const { plan, api, io } = this.#parts;
    const { target } = plan;
    if (target.kind !== "welcome") {
      const wrap = (data: Uint8Array) => (target.kind === "group" ? wrapPayload(target.groupId, data) : data);
      const messages: readonly GroupMessageToSend[] = batch.map((data) => ({ data: wrap(data) }));
      await api.sendGroupMessages(messages, io.signal);
      return;
    }
    const { installationKey } = target;
    const welcomes = batch.map((data) => ({ installationKey, content: welcomeOf(installationKey, data, plan.raw) }));
    await api.sendWelcomeMessages(welcomes, io.signal);
  }

  #acknowledged(data: Uint8Array): string {
    const { plan } = this.#parts;
    this.#acked++;
    const topic = showTarget(plan.target);
    if (plan.json) return `${JSON.stringify({ stored: this.#acked, topic, bytes: data.length })}\n`;
    return `stored ${this.#acked}  ${topic}  ${data.length} B\n`;
  }
}

function welcomeOf(installationKey: Uint8Array, data: Uint8Array, raw: boolean) {
  const none = new Uint8Array();
  return {
    form: "welcome",
    data: raw ? data : wrapPayload(installationKey, data),
    hpkePublicKey: none,
    wrapperAlgorithm: SYMMETRIC_KEY,
    welcomeMetadata: none,
  } as const;
}

function showTarget(target: Target): string {
  switch (target.kind) {
    case "group":
      return `group:${showIdentifier(target.groupId)}`;
    case "welcome":
      return `welcome:${showIdentifier(target.installationKey)}`;
    case "rawGroup":
      return "group:(as the message says)";
  }
}

const NUMBER = Buffer.from("{n}");

/** Each piece so many times, one round after the other, numbered where it asks for that. */
function* repeated(data: readonly Uint8Array[], count: number): Generator<Uint8Array> {
  for (let n = 1; n <= count; n++) {
    for (const piece of data) yield count > 1 ? numbered(piece, n) : piece;
  }
}

function numbered(piece: Uint8Array, n: number): Uint8Array {
  const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
  return bytes.includes(NUMBER) ? Buffer.from(bytes.toString().replaceAll("{n}", String(n))) : piece;
}
