/** A drill: nodes under load, a fault, and the account of it. */

import { systemClock } from "../../../src/base/clock";
import { GROUP, type Topic, topicOf, WELCOME } from "../../../src/client";
import { Prng } from "../../support/prng";
import { PATIENCE_MS, until } from "../../support/until";
import { faultsOfStored, faultsOfStream, wantedOf } from "./account";
import { Ledger } from "./ledger";
import type { FaultNode } from "./node";
import { Publisher, type PublisherOptions } from "./publisher";
import type { Reading } from "./reading";
import { chooseSeed } from "./settings";
import { readAfresh, Subscriber, type SubscriberOptions } from "./subscriber";

export interface DrillOptions {
  /** Number of the fault, and in few words what it is. */
  readonly fault: number;
  readonly title: string;
}

export interface FinishOptions {
  /** Where the fresh reader reads. */
  readonly readAt: FaultNode;
  /** How long streams may take to have everything once the publishers have stopped, in milliseconds. Default {@link PATIENCE_MS}. */
  readonly settleMs?: number;
  /** What else the drill has measured, for the table. */
  readonly figures?: Readonly<Record<string, number | string>>;
}

export type Load = Omit<PublisherOptions, "number" | "address" | "ca" | "ledger" | "prng">;
export type Watching = Pick<SubscriberOptions, "topics" | "later" | "maxBufferedBytes"> & {
  readonly name?: string;
  /** host:port of what stands before the node, if something does. */
  readonly through?: string;
};

const MIB = 1_048_576;
/** What a node may hold more after a drill than when it began to serve: its tail (64 MiB) and what its engine keeps for a while. */
const MORE_RSS_BYTES = 256 * MIB;
/** Its pools of database connections are opened when they are needed and kept. */
const MORE_FDS = 16;

/**
 * Publishers and streams at nodes, with one ledger. Ends with {@link finish}; its disposal lets go of all of them
 * whether it came to that or not, and is to come before that of the nodes.
 */
export class Drill implements AsyncDisposable {
  readonly seed = chooseSeed();
  readonly prng = new Prng(this.seed);
  readonly ledger = new Ledger(this.seed);
  readonly publishers: Publisher[] = [];
  readonly subscribers: Subscriber[] = [];
  readonly #options: DrillOptions;
  readonly #nodes = new Map<FaultNode, number>();
  readonly #topics = new Set<Topic>();
  readonly #beganAt = performance.now();

  constructor(options: DrillOptions) {
    this.#options = options;
  }

  /** Topics of this drill, known to its account. */
  topics({ groups, welcomes = 0 }: { readonly groups: number; readonly welcomes?: number }): readonly Topic[] {
    const id = () => Buffer.from(Array.from({ length: 32 }, () => this.prng.int(256)));
    const made = [
      ...Array.from({ length: groups }, () => topicOf(GROUP, id())),
      ...Array.from({ length: welcomes }, () => topicOf(WELCOME, id())),
    ];
    for (const topic of made) this.#topics.add(topic);
    return made;
  }

  publish({ address, ca }: FaultNode, load: Load): Publisher {
    const { ledger } = this;
    const number = this.publishers.length;
    const publisher = new Publisher({ ...load, number, address, ca, ledger, prng: new Prng(this.prng.seed()) });
    this.publishers.push(publisher);
    return publisher;
  }

  subscribe(node: FaultNode, { name, through, ...watching }: Watching): Subscriber {
    const { ledger } = this;
    const subscriber = new Subscriber({
      ...watching,
      name: name ?? `stream ${this.subscribers.length + 1}`,
      address: through ?? node.address,
      ca: node.ca,
      ledger,
    });
    this.subscribers.push(subscriber);
    this.#nodes.set(node, (this.#nodes.get(node) ?? 0) + 1);
    return subscriber;
  }

  /** Lets the load run on for so many more acked requests, as a sign that all goes well. */
  async moreAcks(count: number): Promise<void> {
    const acks = () => this.publishers.reduce((sum, publisher) => sum + publisher.acked.length, 0);
    const wanted = acks() + count;
    await this.until(() => acks() >= wanted, `${count} more acked requests`);
  }

  /** Waits until every stream has begun so many times, counting its resumes. */
  async allConnected(times: number): Promise<void> {
    const connected = () => this.subscribers.every(({ connects }) => connects >= times);
    await this.until(connected, `every stream to have begun ${times} times`);
  }

  /** As {@link until}, with the seed. */
  async until(condition: () => boolean | Promise<boolean>, what: string, withinMs?: number): Promise<void> {
    await until(condition, `${what} (FAULTS_SEED=${this.seed})`, withinMs);
  }

  /**
   * Ends the load and makes the account: see faultsOfStored and faultsOfStream; memory, handles and streams of every
   * node are back. Prints its figures as one line.
   * @throws Error with everything that is wrong.
   */
  async finish({ readAt, settleMs = PATIENCE_MS, figures = {} }: FinishOptions): Promise<void> {
    await Promise.all(this.publishers.map((publisher) => publisher.stop()));
    const stoppedAt = performance.now();
    const stored = await this.#settle(readAt, settleMs);
    const settledMs = performance.now() - stoppedAt;
    const faults = [...faultsOfStored(this.ledger, stored)];
    for (const { reading } of this.subscribers) faults.push(...faultsOfStream(this.ledger, stored, reading));
    const resumes = this.subscribers.reduce((sum, { connects }) => sum + connects - 1, 0);
    faults.push(...(await this.#streamsOpen()));
    await this.#letGo();
    faults.push(...(await this.#handlesBack()));
    const held = [...this.#nodes.keys()].map(({ handles, resting }) => ({ handles, resting }));
    const { acked, maybe, refused } = this.ledger.count();
    this.#print({
      seconds: Math.round((performance.now() - this.#beganAt) / 100) / 10,
      published: this.ledger.length,
      acked,
      maybe,
      refused,
      stored: stored.received,
      streams: this.subscribers.length,
      delivered: this.subscribers.reduce((sum, { reading }) => sum + reading.received, 0),
      resumes,
      settledMs: Math.round(settledMs),
      rssMiB: held.map(({ handles }) => Math.round(handles.rssBytes / MIB)).join("+"),
      fds: held.map(({ handles, resting }) => `${resting.fds}→${handles.fds}`).join(" "),
      faults: faults.length,
      ...figures,
    });
    if (acked === 0) faults.push("nothing was acked at all: this drill proves nothing");
    if (faults.length > 0) throw new Error(this.#report(faults));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#letGo();
  }

  /** Waits until every stream has what is stored, and what is stored does not grow any more. */
  async #settle(readAt: FaultNode, settleMs: number): Promise<Reading> {
    const topics = [...this.#topics];
    const endMs = systemClock.now() + settleMs;
    for (;;) {
      const stored = await readAfresh(readAt, topics, this.ledger);
      const isFinal = this.ledger.count().maybe === 0;
      const isBehind = ({ reading }: Subscriber) => reading.received < wantedOf(this.ledger, stored, reading);
      while (this.subscribers.some(isBehind) && systemClock.now() < endMs) await systemClock.sleep(20);
      const areDone = !this.subscribers.some(isBehind);
      if (isFinal && areDone) return stored;
      // A request that was given up may still be stored.
      const again = await readAfresh(readAt, topics, this.ledger);
      // Out of time: the account says what is missing.
      if ((areDone && again.received === stored.received) || systemClock.now() >= endMs) return again;
    }
  }

  async #streamsOpen(): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const [node, streams] of this.#nodes) {
      const counted = () => node.metric("tideline_streams_open");
      await until(async () => (await counted()) === streams, "streams").catch(async () => {
        const open = await counted();
        faults.push(`${node.address} counts ${open} open streams, and ${streams} are held there`);
      });
    }
    return faults;
  }

  async #letGo(): Promise<void> {
    await Promise.all([...this.publishers, ...this.subscribers].map((client) => client[Symbol.asyncDispose]()));
  }

  async #handlesBack(): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const node of this.#nodes.keys()) {
      const { resting } = node;
      const isBack = async () =>
        (await node.metric("tideline_streams_open")) === 0 && node.handles.fds <= resting.fds + MORE_FDS;
      await until(isBack, "back").catch(async () => {
        const open = await node.metric("tideline_streams_open");
        faults.push(
          `all let go, ${node.address} holds ${open} streams and ${node.handles.fds} files (${resting.fds} at first)`,
        );
      });
      const moreBytes = () => node.handles.rssBytes - resting.rssBytes;
      await until(() => moreBytes() <= MORE_RSS_BYTES, "memory").catch(() => {
        faults.push(`${node.address} holds ${Math.round(moreBytes() / MIB)} MiB more than at first`);
      });
    }
    return faults;
  }

  #print(figures: Readonly<Record<string, number | string>>): void {
    const { fault, title } = this.#options;
    process.stdout.write(`fault ${JSON.stringify({ fault, title, seed: this.seed, ...figures })}\n`);
  }

  #report(faults: readonly string[]): string {
    const losses = new Set(this.subscribers.flatMap((subscriber) => subscriber.losses));
    const failures = this.publishers.flatMap((publisher) =>
      [...publisher.failures].map(([status, n]) => `${n} ${status}`),
    );
    const troubles = [...this.#nodes.keys()].flatMap(({ troubles: lines }) =>
      lines.slice(-10).map((line) => JSON.stringify(line)),
    );
    return [
      `FAULTS_SEED=${this.seed}: ${faults.length} faults`,
      ...faults,
      `publishers failed: ${failures.join(", ") || "never"}`,
      `streams were lost: ${[...losses].join("; ") || "never"}`,
      ...troubles,
    ].join("\n  ");
  }
}
