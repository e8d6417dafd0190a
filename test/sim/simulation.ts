import { violate } from "../../src/conformance/checker/violation";
import type { Message } from "../../src/core/message";
import { KINDS, kindOf, type PerKind, type Topic, topicOf } from "../../src/core/topic";
import { Prng } from "../support/prng";
import { VirtualClock } from "../support/virtual-clock";
import { Cluster } from "./cluster";
import type { Link } from "./link";
import { KEEPALIVE_MS, STALL_MS } from "./served-stream";
import { SimClient } from "./sim-client";

const TOPICS: readonly Topic[] = KINDS.flatMap((kind) => [1, 2, 3, 4].map((id) => topicOf(kind, Uint8Array.of(id))));
/** Virtual time that is enough to recover from anything: watchdogs, backoff, stalls and replays. */
const SETTLE_MS = 180_000;

/** What a consumer is owed of one topic: every id above `at`, once, ascending. */
interface Owed {
  readonly from: bigint;
  /** What a complete history must reach at least. */
  readonly promised: PerKind<bigint>;
  at: bigint;
}

export interface SimulationOptions {
  readonly seed: number;
  /** A bounded sync (C-5) instead of a lasting subscription. */
  readonly historyOnly: boolean;
  readonly steps: number;
}

/** The real client core against real sessions on several nodes, over a network and with machines that fail. */
export class Simulation {
  readonly #historyOnly: boolean;
  readonly #steps: number;
  readonly #random: Prng;
  readonly #clock = new VirtualClock();
  readonly #cluster: Cluster;
  readonly #owed = new Map<Topic, Owed>();
  readonly #complete = new Set<Topic>();
  #client: SimClient;
  /** Streams opened by clients that have crashed since. */
  #streamsBefore = 0;
  delivered = 0;

  constructor({ seed, historyOnly, steps }: SimulationOptions) {
    this.#random = new Prng(seed);
    this.#historyOnly = historyOnly;
    this.#steps = steps;
    this.#cluster = new Cluster(this.#clock, this.#random, 2);
    this.#client = this.#connect();
  }

  get streams(): number {
    return this.#streamsBefore + this.#client.streams;
  }

  /** Lets so many chance things happen, then lets everything heal, and holds the consumer's account to the store. */
  run(): void {
    for (let step = 0; step < this.#steps; step++) {
      this.#step();
      this.#clock.advance(this.#random.int(50));
    }
    this.#client.setReading(true);
    if (this.#historyOnly) this.#client.finish();
    this.#clock.advance(SETTLE_MS);
    this.#checkAccount();
    this.#client.close();
    this.#clock.advance(2 * KEEPALIVE_MS + STALL_MS);
    if (this.#cluster.openStreams > 0) violate("R-43", `${this.#cluster.openStreams} streams outlive their client`);
  }

  #historyComplete(topics: readonly Topic[]): void {
    for (const topic of topics) {
      this.#complete.add(topic);
      const owed = this.#owed.get(topic);
      if (owed === undefined) violate("C-8", "the history of a topic is complete that nobody wants");
      if (!this.#historyOnly) continue; // what another node acked may come live
      const missing = this.#cluster.idsAbove(topic, owed.at).filter((id) => id <= owed.promised[kindOf(topic)]);
      if (missing.length > 0) violate("I1", `a history is said to be complete without ${missing.join(" ")}`);
    }
  }

  #deliver({ topic, id }: Message): void {
    const owed = this.#owed.get(topic);
    if (owed === undefined) violate("C-8", `${id} was delivered of a topic that nobody wants`);
    const [next] = this.#cluster.idsAbove(topic, owed.at);
    if (id !== next) violate(id <= owed.at ? "I2" : "I1", `${id} was delivered, ${next ?? "nothing"} is next`);
    owed.at = id;
    this.delivered += 1;
  }

  #checkAccount(): void {
    for (const [topic, owed] of this.#owed) {
      const missing = this.#cluster.idsAbove(topic, owed.at);
      if (this.#historyOnly && !this.#complete.has(topic)) violate("C-5", "a bounded sync left a topic out");
      if (!this.#historyOnly && missing.length > 0) violate("I1", `${missing.join(" ")} never arrived`);
    }
    if (this.#historyOnly && this.#client.end?.kind !== "finished") violate("C-5", "a bounded sync never finished");
  }

  #step(): void {
    const topic = this.#random.pick(TOPICS);
    const lasting = this.#historyOnly ? 0 : 1;
    switch (
      this.#random.weighted({
        publish: 40,
        add: 8,
        remove: 3 * lasting,
        pass: 6,
        cut: 1.5,
        hang: 0.7,
        sleep: 0.4,
        pause: 1,
        crash: 0.5 * lasting,
        restart: 0.7,
        failReplays: 0.7,
      })
    ) {
      case "publish":
        for (let i = this.#random.between(1, 4); i > 0; i--) this.#cluster.publish(this.#random.pick(TOPICS));
        break;
      case "add":
        this.#add(topic);
        break;
      case "remove":
        this.#owed.delete(topic);
        this.#client.remove([topic]);
        break;
      case "pass":
        this.#clock.advance(this.#random.int(2_000));
        break;
      case "cut":
        this.#client.cut();
        break;
      case "hang":
        this.#client.hang();
        break;
      case "sleep":
        this.#client.sleep();
        this.#clock.advance(this.#random.int(10_000));
        this.#client.wakeUp();
        break;
      case "pause":
        this.#client.setReading(false);
        this.#clock.advance(this.#random.int(6_000));
        this.#client.setReading(true);
        break;
      case "crash":
        this.#crash();
        break;
      case "restart":
        this.#random.pick(this.#cluster.nodes).restart();
        break;
      case "failReplays":
        this.#random.pick(this.#cluster.nodes).failReplays();
        break;
    }
  }

  #add(topic: Topic): void {
    const known = this.#owed.get(topic);
    if (this.#historyOnly && known !== undefined) return;
    const cursor = BigInt(this.#random.int(Number(this.#cluster.promised[kindOf(topic)]) + 3));
    if (known === undefined || cursor < known.from) this.#owe(topic, cursor);
    this.#client.add([{ topic, cursor }]);
  }

  #owe(topic: Topic, cursor: bigint): void {
    this.#owed.set(topic, { from: cursor, promised: this.#cluster.promised, at: cursor });
  }

  /** The client's process dies and starts again from the cursors it had (C-3). */
  #crash(): void {
    const wants = this.#client.cursors;
    this.#streamsBefore += this.#client.streams;
    this.#client.crash();
    this.#client = this.#connect();
    for (const { topic, cursor } of wants) {
      const owed = this.#owed.get(topic);
      if (owed === undefined) violate("C-3", "a cursor of a topic that nobody wants");
      const skipped = this.#cluster.idsAbove(topic, owed.at).filter((id) => id <= cursor);
      if (skipped.length > 0) violate("C-3", `the resume cursor ${cursor} skips ${skipped.join(" ")}`);
      this.#owe(topic, cursor);
    }
    this.#client.add(wants);
  }

  #connect(): SimClient {
    return new SimClient({
      clock: this.#clock,
      random: this.#random,
      historyOnly: this.#historyOnly,
      consumer: {
        delivered: (messages) => {
          for (const message of messages) this.#deliver(message);
        },
        historyComplete: (topics) => this.#historyComplete(topics),
      },
      dial: (link: Link) => this.#random.pick(this.#cluster.nodes).accept(link),
    });
  }
}
