/** A client that publishes at a rate, and keeps account of what it was told. */

import { systemClock } from "../../../src/base/clock";
import { NodeApi, NodeError } from "../../../src/client";
import { GROUP, kindOf, type Topic, topicBytes } from "../../../src/core/topic";
import type { Prng } from "../../support/prng";
import { Durations } from "./column";
import { Gate } from "./gate";
import type { Fate, Ledger } from "./ledger";
import { type Place, urlOf } from "./wire-watch";

export interface PublisherOptions extends Place {
  readonly number: number;
  readonly topics: readonly Topic[];
  readonly ledger: Ledger;
  readonly prng: Prng;
  /** Messages a second, if the node answers fast enough: one request is under way at a time. */
  readonly perSecond: number;
  /** Messages of a request. Default 8. */
  readonly batch?: number;
  /** Of a payload. Default 128. */
  readonly bytes?: number;
  /** How long an answer may take, in milliseconds. Default 40 000, longer than a node may take to say no. */
  readonly timeoutMs?: number;
}

interface Batch {
  readonly numbers: readonly number[];
  readonly send: (api: NodeApi) => Promise<void>;
}

/** Which part of the requests that failed is sent again, byte for byte; the others stay a "maybe". */
const SENT_AGAIN = 0.5;
/** By these a node says that it has not even tried to store the request. */
const REFUSALS: readonly string[] = ["resourceExhausted", "invalidArgument"];
const FAILED_PAUSE_MS = 20;
/** WelcomeWrapperAlgorithm SYMMETRIC_KEY, the one that needs no public key. */
const SYMMETRIC_KEY = 3;

export class Publisher implements AsyncDisposable {
  /** How often a request failed, by status. */
  readonly failures = new Map<string, number>();
  /** The longest that a request took to fail, in milliseconds. */
  slowestFailureMs = 0;
  /** Of the requests that were acked. */
  readonly acked = new Durations();
  readonly #options: PublisherOptions;
  readonly #api: NodeApi;
  readonly #gate = new Gate();
  readonly #running: Promise<void>;
  readonly #stop = new AbortController();

  constructor(options: PublisherOptions) {
    const { ca, timeoutMs = 40_000 } = options;
    this.#options = options;
    this.#api = new NodeApi({ address: urlOf(options), ca, timeoutMs });
    this.#running = this.#run();
  }

  pause(): void {
    this.#gate.close();
  }

  resume(): void {
    this.#gate.open();
  }

  /** Makes no more messages; resolves when the last request is answered or given up. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#gate.open();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#api[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    const { perSecond, batch = 8 } = this.#options;
    const everyMs = (batch / perSecond) * 1_000;
    let dueMs = performance.now();
    while (!this.#stop.signal.aborted) {
      await this.#deliver(this.#make(batch));
      dueMs = Math.max(dueMs + everyMs, performance.now() - 1_000);
      // Stopped: the loop ends.
      await systemClock.sleep(Math.max(0, dueMs - performance.now()), this.#stop.signal).catch(() => {});
      await this.#gate.passed();
    }
  }

  /** Sends a batch until it is acked or left to be a maybe, or refused if that is all that was ever said of it. */
  async #deliver({ numbers, send }: Batch): Promise<void> {
    const { ledger, prng } = this.#options;
    let fate: Fate = "refused";
    for (;;) {
      const fromMs = performance.now();
      try {
        await send(this.#api);
        for (const n of numbers) ledger.decide(n, "acked");
        this.acked.add(performance.now(), performance.now() - fromMs);
        return;
      } catch (error) {
        if (!(error instanceof NodeError)) throw error;
        this.failures.set(error.status, (this.failures.get(error.status) ?? 0) + 1);
        this.slowestFailureMs = Math.max(this.slowestFailureMs, performance.now() - fromMs);
        if (!REFUSALS.includes(error.status)) fate = "maybe";
        if (this.#stop.signal.aborted || !prng.chance(SENT_AGAIN)) {
          for (const n of numbers) ledger.decide(n, fate);
          return;
        }
        await systemClock.sleep(FAILED_PAUSE_MS);
      }
    }
  }

  /** Messages of one kind, each of a topic by chance. */
  #make(count: number): Batch {
    const { number, topics, ledger, prng, bytes = 128 } = this.#options;
    const kind = kindOf(prng.pick(topics));
    const ofKind = topics.filter((topic) => kindOf(topic) === kind);
    const made = Array.from({ length: count }, () => {
      const topic = prng.pick(ofKind);
      return { topic, ...ledger.make(number, topic, bytes) };
    });
    const numbers = made.map(({ n }) => n);
    if (kind === GROUP) return { numbers, send: (api) => api.sendGroupMessages(made) };
    const welcomes = made.map(({ topic, data }) => welcomeOf(topic, data));
    return { numbers, send: (api) => api.sendWelcomeMessages(welcomes) };
  }
}

function welcomeOf(topic: Topic, data: Uint8Array) {
  const none = new Uint8Array();
  const content = {
    form: "welcome",
    data,
    hpkePublicKey: none,
    wrapperAlgorithm: SYMMETRIC_KEY,
    welcomeMetadata: none,
  } as const;
  return { installationKey: topicBytes(topic).subarray(1), content };
}
