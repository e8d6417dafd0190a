import { expect, test } from "bun:test";
import { Connection } from "../../../src/core/connection/connection";
import type { ClientRequest, ConnectionEffect, Positioned, ServerFrame } from "../../../src/core/connection/events";
import { KINDS, kindOf, type Topic, topicOf } from "../../../src/core/topic";
import { Prng } from "../../support/prng";
import { ModelLog, ModelStream } from "./model-node";

const KEEPALIVE_MS = 1_000;
const TOPICS: readonly Topic[] = KINDS.flatMap((kind) => [1, 2, 3, 4, 5].map((id) => topicOf(kind, Uint8Array.of(id))));

/** What the consumer expects of one topic: the ids above this, each once, ascending. */
interface Expectation {
  readonly from: bigint;
  /** The newest id when it was wanted: a complete history reaches as far as this. */
  readonly head: bigint;
  at: bigint;
}

type Downlink = ServerFrame<Positioned> | "ok";

/** A client and a node under virtual time, joined by a network that loses streams, with notice and without. */
class World {
  readonly #prng: Prng;
  readonly #historyOnly: boolean;
  readonly #log = new ModelLog();
  readonly #expected = new Map<Topic, Expectation>();
  readonly #done = new Set<Topic>();
  #connection: Connection<Positioned>;
  #now = 0;
  #lastMutate = 0n;
  #link: { readonly stream: number; readonly node: ModelStream; dead: boolean } | undefined;
  #up: ClientRequest[] = [];
  #down: Downlink[] = [];
  finished = false;
  streams = 0;

  constructor(seed: number, historyOnly: boolean) {
    this.#prng = new Prng(seed);
    this.#historyOnly = historyOnly;
    this.#connection = this.#connect();
  }

  /** So many chance things happen. */
  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.#step();
  }

  /** From here on nothing breaks any more: everything that is wanted must arrive, within bounds. */
  settle(): void {
    if (this.#historyOnly) this.#connection.handle({ kind: "finish" }, this.#now);
    for (let turn = 0; turn < 20_000 && !this.#settled; turn++) {
      this.#carry(0.5);
      this.#now += this.#prng.int(20);
      this.#wakeIfDue();
    }
    expect(this.#settled).toBe(true);
  }

  /** A consumer that wanted a topic all along has had exactly what there is above its cursor. */
  check(): void {
    for (const [topic, { at }] of this.#expected) {
      if (this.#historyOnly) expect(this.#done.has(topic)).toBe(true);
      else expect(this.#log.idsOf(topic, at)).toEqual([]);
    }
  }

  get #settled(): boolean {
    if (this.#historyOnly) return this.finished;
    return [...this.#expected].every(([topic, { at }]) => this.#log.idsOf(topic, at).length === 0);
  }

  #step(): void {
    const topic = this.#prng.pick(TOPICS);
    const what = this.#prng.weighted({
      carry: 60,
      append: 20,
      add: 4,
      remove: this.#historyOnly ? 0 : 2,
      pass: 10,
      cut: 1,
      hang: 0.3,
      crash: this.#historyOnly ? 0 : 0.3,
      sleep: 0.3,
    });
    if (what === "carry") this.#carry(0.5);
    if (what === "append") this.#log.append(topic);
    if (what === "add") this.#add(topic, BigInt(this.#prng.int(Number(this.#log.head(KINDS[0] ?? 0)) + 3)));
    if (what === "remove") this.#remove(topic);
    if (what === "pass") this.#now += this.#prng.int(400);
    if (what === "cut") this.#cut();
    if (what === "hang" && this.#link !== undefined) this.#link.dead = true;
    if (what === "crash") this.#crash();
    if (what === "sleep") this.#sleep();
    this.#wakeIfDue();
    this.#carryOut();
  }

  #add(topic: Topic, cursor: bigint): void {
    const expected = this.#expected.get(topic);
    // A topic that is wanted already is only replayed when it is wanted from further below.
    if (this.#historyOnly && expected !== undefined) return;
    if (expected === undefined || cursor < expected.from) this.#expect(topic, cursor);
    this.#connection.handle({ kind: "add", wants: [{ topic, cursor }] }, this.#now);
  }

  #remove(topic: Topic): void {
    this.#expected.delete(topic);
    this.#connection.handle({ kind: "remove", topics: [topic] }, this.#now);
  }

  #sleep(): void {
    this.#now += 5_000;
    this.#connection.handle({ kind: "resumed" }, this.#now);
  }

  #cut(): void {
    const link = this.#link;
    this.#unlink();
    if (link === undefined || link.dead) return;
    const status = this.#prng.pick(["unavailable", "ok", "aborted", "deadlineExceeded", "internal"] as const);
    this.#connection.handle({ kind: "ended", stream: link.stream, status, detail: "cut" }, this.#now);
  }

  /** The client's process dies and starts again from the cursors it had (C-3). */
  #crash(): void {
    const wants = [...this.#connection.cursors()];
    expect(wants.map((want) => want.topic).toSorted()).toEqual([...this.#expected.keys()].toSorted());
    this.#unlink();
    this.#lastMutate = 0n;
    this.#connection = this.#connect();
    this.#connection.handle({ kind: "add", wants }, this.#now);
    for (const { topic, cursor } of wants) {
      const expected = this.#expected.get(topic);
      if (expected === undefined) continue;
      expect(this.#log.idsOf(topic, expected.at).filter((id) => id <= cursor)).toEqual([]);
      this.#expect(topic, cursor);
    }
  }

  #expect(topic: Topic, cursor: bigint): void {
    this.#expected.set(topic, { from: cursor, head: this.#log.head(kindOf(topic)), at: cursor });
  }

  #complete(topic: Topic): void {
    this.#done.add(topic);
    const expected = this.#expected.get(topic);
    if (expected === undefined) throw new Error("the history of a topic that nobody wants is complete");
    expect(this.#log.idsOf(topic, expected.at).filter((id) => id <= expected.head)).toEqual([]);
  }

  #connect(): Connection<Positioned> {
    const options = {
      historyOnly: this.#historyOnly,
      random: () => this.#prng.next(),
      mutateLimits: { topics: 3, bytes: 1 << 20, waves: 3 },
      openMs: 3_000,
      probeMs: 500,
    };
    return new Connection(options, this.#now);
  }

  /** Some requests travel up, the node says something, some frames travel down. */
  #carry(share: number): void {
    this.#carryOut();
    const link = this.#link;
    if (link === undefined) return;
    if (this.#prng.chance(share)) this.#pull();
    if (link.dead) return;
    for (; this.#up.length > 0 && this.#prng.chance(share); ) {
      const request = this.#up.shift();
      if (request !== undefined) link.node.receive(request);
    }
    const said = link.node.say() ?? (this.#prng.chance(0.05) ? ({ kind: "ping", nonce: 9n } as const) : undefined);
    if (said !== undefined) this.#down.push(said);
    for (; this.#down.length > 0 && this.#prng.chance(share); ) this.#arrive(link.stream);
    this.#carryOut();
  }

  #arrive(stream: number): void {
    const frame = this.#down.shift();
    if (frame === undefined) return;
    if (frame === "ok") this.#connection.handle({ kind: "ended", stream, status: "ok", detail: "" }, this.#now);
    else this.#connection.handle({ kind: "frame", stream, frame }, this.#now);
    this.#carryOut();
  }

  #pull(): void {
    const request = this.#connection.nextRequest(this.#now);
    if (request === undefined) return;
    if (request.kind === "mutate") {
      const { id, adds, removes } = request.mutate;
      expect(id).toBeGreaterThan(this.#lastMutate);
      expect(adds.length + removes.length).toBeLessThanOrEqual(3);
      this.#lastMutate = id;
    }
    this.#up.push(request);
  }

  #wakeIfDue(): void {
    const { deadline } = this.#connection;
    if (deadline !== undefined && this.#now >= deadline) this.#connection.handle({ kind: "wake" }, this.#now);
    this.#carryOut();
  }

  #carryOut(): void {
    for (const effect of this.#connection.takeEffects()) this.#effect(effect);
  }

  #effect(effect: ConnectionEffect<Positioned>): void {
    switch (effect.kind) {
      case "open":
        this.streams++;
        this.#unlink();
        this.#link = {
          stream: effect.stream,
          node: new ModelStream(this.#log, this.#prng, KEEPALIVE_MS),
          dead: false,
        };
        break;
      case "abandon":
        this.#unlink();
        break;
      case "deliver":
        for (const message of effect.messages) this.#delivered(message);
        break;
      case "catchupComplete":
        for (const topic of effect.topics) this.#complete(topic);
        break;
      case "over":
        this.finished = effect.end.kind === "finished";
        break;
      case "topicsLive":
      case "state":
        break;
      default:
        effect satisfies never;
    }
  }

  #delivered({ topic, id }: Positioned): void {
    const expected = this.#expected.get(topic);
    if (expected === undefined) throw new Error("a message of a topic that nobody wants was delivered");
    const [next] = this.#log.idsOf(topic, expected.at);
    expect(id).toBe(next ?? -1n);
    expected.at = id;
  }

  #unlink(): void {
    this.#link = undefined;
    this.#up = [];
    this.#down = [];
  }
}

const { FUZZ_SEEDS = "150" } = Bun.env;
const SEEDS = Number(FUZZ_SEEDS);

test("a consumer gets every message exactly once and in order, however often its stream is lost (C-3, I1, I2)", () => {
  let streams = 0;
  for (let seed = 1; seed <= SEEDS; seed++) streams += play(seed, false);
  expect(streams).toBeGreaterThan(SEEDS * 3);
});

test("a bounded sync gets every topic's history, however often its stream is lost (C-5)", () => {
  for (let seed = 1; seed <= SEEDS; seed++) play(seed, true);
});

function play(seed: number, historyOnly: boolean): number {
  const world = new World(seed, historyOnly);
  try {
    world.run(800);
    world.settle();
    world.check();
    return world.streams;
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
}
