/**
 * A steady live load on one topic, with readers that take all of it; then on another, with readers beside them that
 * have stalled. Those that read must get every message once, throughout.
 */

import { mlsMessage, sendRequest } from "../support/protobuf";
import { RawConnection } from "../support/raw-h2";
import { Progress, subscribe } from "../support/streams";
import { type Stall, StalledConnection } from "./stalled-reader";

export interface TrafficOptions {
  readonly address: string;
  /** Readers that will stall: half of them in each way, so many on a connection. */
  readonly stalled: number;
  readonly perConnection: number;
  /** Messages a second, and how large they are. */
  readonly rate: number;
  readonly bytes: number;
}

const READERS = 10;

export class Traffic implements Disposable {
  readonly #options: TrafficOptions;
  readonly #publisher: RawConnection;
  readonly #progress = new Progress();
  readonly #connections: { close(): void }[];
  /** The topic of the load with nobody stalled, and of the other. */
  readonly #alone = newTopic();
  readonly #beside = newTopic();
  #topic = this.#alone;
  #complete = 0;
  #published = 0;
  #delivered = 0;

  private constructor(options: TrafficOptions, publisher: RawConnection) {
    this.#options = options;
    this.#publisher = publisher;
    this.#connections = [publisher];
  }

  /** Resolves when its readers are live on both topics. */
  static async open(options: TrafficOptions): Promise<Traffic> {
    const traffic = new Traffic(options, await RawConnection.open(options.address));
    for (let nth = 0; nth < READERS; nth++) traffic.#read(await RawConnection.open(options.address));
    await traffic.#progress.until(() => traffic.#complete === READERS, "the readers' waves to complete");
    return traffic;
  }

  /** Publishes so many bytes as fast as they are taken. */
  async fill(bytes: number): Promise<void> {
    const { rate } = this.#options;
    for (let sent = 0; sent < bytes; sent += (rate / 10) * this.#options.bytes) await this.#publish(rate / 10);
    await this.#allDelivered();
  }

  /** Publishes at its rate for a while: ten milliseconds' worth in one request, each after the answer to the last. */
  async publishFor(ms: number): Promise<void> {
    const { rate } = this.#options;
    const started = performance.now();
    const first = this.#published;
    for (let elapsedMs = 0; elapsedMs < ms; elapsedMs = performance.now() - started) {
      const due = Math.floor((elapsedMs / 1_000) * rate) - (this.#published - first);
      if (due >= rate / 100) await this.#publish(Math.min(due, rate / 10));
      else await Bun.sleep(1);
    }
    await this.#allDelivered();
  }

  /**
   * From now on there are stalled readers, live on the topic that is published to. Returns how many.
   * `settleMs`: how long their subscriptions may take.
   */
  async stall(settleMs: number): Promise<number> {
    const half = Math.ceil(this.#options.stalled / this.#options.perConnection / 2);
    const stalled = await Promise.all([...this.#openStalled("window", half), ...this.#openStalled("socket", half)]);
    await Bun.sleep(settleMs);
    for (const connection of stalled) connection.stall();
    this.#connections.push(...stalled);
    this.#topic = this.#beside;
    return stalled.length * this.#options.perConnection;
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections) connection.close();
  }

  #read(connection: RawConnection): void {
    this.#connections.push(connection);
    subscribe(connection, {
      topics: [this.#alone, this.#beside],
      onCount: (messages) => {
        this.#delivered += messages;
        this.#progress.made();
      },
      onComplete: () => {
        this.#complete++;
        this.#progress.made();
      },
    });
  }

  #openStalled(stall: Stall, connections: number): readonly Promise<StalledConnection>[] {
    const { address, perConnection } = this.#options;
    return Array.from({ length: connections }, () =>
      StalledConnection.open(address, stall, perConnection, this.#beside),
    );
  }

  async #publish(count: number): Promise<void> {
    const messages = Array.from({ length: count }, () => {
      const head = Buffer.alloc(8);
      head.writeBigUInt64BE(BigInt(++this.#published));
      return mlsMessage(this.#topic, head, this.#options.bytes);
    });
    await this.#publisher.call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest(messages));
  }

  async #allDelivered(): Promise<void> {
    const due = this.#published * READERS;
    await this.#progress.until(() => this.#delivered >= due, "the last deliveries");
    if (this.#delivered !== due)
      throw new Error(`published ${this.#published} to ${READERS}, delivered ${this.#delivered}`);
  }
}

function newTopic(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(16));
}
