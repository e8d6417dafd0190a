import { Truth } from "../../src/conformance/truth";
import type { Message } from "../../src/core/message";
import { KINDS, kindOf, type PerKind, type Topic } from "../../src/core/topic";
import { ModelTail } from "../fuzz/model-tail";
import type { Prng } from "../support/prng";
import type { VirtualClock } from "../support/virtual-clock";
import type { Link } from "./link";
import { ServedStream } from "./served-stream";

/** One store, and the nodes that serve it, each with a tailer and a tail of its own. */
export class Cluster {
  readonly nodes: readonly SimNode[];
  readonly #stored: Message[] = [];

  constructor(clock: VirtualClock, random: Prng, nodes: number) {
    this.nodes = Array.from({ length: nodes }, () => new SimNode(clock, random, this.#stored));
  }

  /** Stores a message; the nodes find it one after the other. */
  publish(topic: Topic): void {
    const kind = kindOf(topic);
    const id = (this.nodes[0]?.truth.heads[kind] ?? 0n) + 1n;
    const message: Message = { kind, id, topic, entry: new Uint8Array(10) };
    this.#stored.push(message);
    for (const node of this.nodes) node.truth.inserted(message);
    for (const node of this.nodes) node.look(() => this.#acked(node.truth.acked));
  }

  /** Every message of a topic above an id. */
  idsAbove(topic: Topic, id: bigint): readonly bigint[] {
    return this.#stored.filter((message) => message.topic === topic && message.id > id).map((message) => message.id);
  }

  /** What a sync that starts now must reach, by kind: everything that any publisher was told of. */
  get promised(): PerKind<bigint> {
    return this.nodes[0]?.truth.promised ?? [0n, 0n];
  }

  /** Streams that a node still holds anything for. */
  get openStreams(): number {
    return this.nodes.reduce((sum, node) => sum + node.openStreams, 0);
  }

  #acked(acked: PerKind<bigint>): void {
    for (const node of this.nodes) for (const kind of KINDS) node.truth.promisedUpTo(kind, acked[kind]);
  }
}

/** A node: its tail, its tailer, and the streams it serves. */
export class SimNode {
  readonly truth = new Truth();
  readonly #clock: VirtualClock;
  readonly #random: Prng;
  readonly #stored: readonly Message[];
  readonly #capacity: number;
  readonly #maxLagMs: number;
  #tail: ModelTail;
  #seen = 0;
  /** Who waits for the next look. */
  readonly #lookers: (() => void)[] = [];
  readonly #streams = new Set<ServedStream>();

  constructor(clock: VirtualClock, random: Prng, stored: readonly Message[]) {
    this.#clock = clock;
    this.#random = random;
    this.#stored = stored;
    this.#capacity = random.pick([3, 20, 10_000]);
    this.#maxLagMs = random.pick([5, 60, 3_000]);
    this.#tail = new ModelTail(this.#capacity);
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** The tailer looks at the store in a while, once for all who asked until then; whatever is stored by then is acked. */
  look(done: () => void): void {
    this.#lookers.push(done);
    if (this.#lookers.length > 1) return;
    this.#clock.after(this.#random.int(this.#maxLagMs), () => {
      this.#append();
      for (const looker of this.#lookers.splice(0)) looker();
    });
  }

  accept(link: Link): void {
    const around = {
      clock: this.#clock,
      random: this.#random,
      truth: this.truth,
      stored: this.#stored,
      tail: this.#tail,
    };
    const stream = new ServedStream(around, link, {
      look: (done) => this.look(done),
      over: () => this.#streams.delete(stream),
    });
    this.#streams.add(stream);
    stream.begin();
  }

  /** The process goes down, telling its streams, and comes up again with an empty tail. */
  restart(): void {
    for (const stream of [...this.#streams]) stream.shutDown();
    this.#append();
    this.#tail = new ModelTail(this.#capacity, this.#tail.headIds);
  }

  /** The database cannot be read for a moment. */
  failReplays(): void {
    for (const stream of [...this.#streams]) stream.failReplays();
  }

  #append(): void {
    const offsets: [number, Topic][] = [];
    for (const message of this.#stored.slice(this.#seen)) {
      offsets.push([this.#tail.append(message), message.topic]);
      this.truth.ackedUpTo(message.kind, message.id);
    }
    this.#seen = this.#stored.length;
    for (const stream of [...this.#streams]) stream.offer(offsets);
  }
}
