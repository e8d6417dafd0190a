import type { Clock } from "../../base/clock";
import { LIVE } from "../../core/frame";
import type { Topic } from "../../core/topic";
import { Violation } from "../checker/violation";
import type { Connection } from "../client/connection";
import { NodeUnderTest } from "../client/node";
import type { ProbeStream } from "../client/probe-stream";
import { ConformanceFailure } from "../failure";
import { settle } from "../run";
import { type Cursor, GROUPS, type MutateStep, type Script, type Step, WELCOMES } from "./script";

/** What a script is played on. */
export interface PlaySetting {
  readonly address: string;
  /** What Started says, in milliseconds. */
  readonly keepaliveMs: number;
  /** How long to wait for what has to come soon, in milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

/** What a script found. */
export interface Finding {
  /** The broken rule; "promise" where something else than a rule's breach was seen. */
  readonly rule: string;
  readonly words: string;
}

/** The default window of HTTP/2: little of what is large fits. */
const SMALL_WINDOW_BYTES = 65_535;
const LARGE_BYTES = 40_000;
const SMALL_BYTES = 16;

/** Plays a script on topics that nobody has used, and holds every stream of it against the rules. */
export async function playScript(script: Script, setting: PlaySetting): Promise<Finding | undefined> {
  using node = new NodeUnderTest(setting);
  try {
    const stage = new Stage(node);
    for (const step of script) await stage.play(step);
    await stage.finish();
    await settle(node);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return { rule: error.rule, words: error.message };
    if (error instanceof ConformanceFailure) return { rule: "promise", words: error.message };
    throw error;
  }
}

/** A client and what it is subscribed to: topic number and the cursor asked for. */
interface FuzzClient {
  readonly connection: Connection;
  stream: ProbeStream | undefined;
  readonly wanted: Map<number, bigint>;
  isHeld: boolean;
  lastId: bigint;
}

/** Plays the steps of one script. */
class Stage {
  readonly #node: NodeUnderTest;
  readonly #topics: readonly Topic[];
  readonly #clients = new Map<number, FuzzClient>();
  #meanwhile: Promise<unknown>[] = [];
  #nonce = 2_000_000n;

  constructor(node: NodeUnderTest) {
    this.#node = node;
    this.#topics = [...node.groups(GROUPS), ...Array.from({ length: WELCOMES }, () => node.welcome())];
  }

  async play(step: Step): Promise<void> {
    switch (step.do) {
      case "publish":
        return await this.#publish(step);
      case "mutate":
        return this.#mutate(step);
      case "wait":
        return await this.#wait(this.#client(step.client));
      case "hold":
        return this.#hold(this.#client(step.client));
      case "read":
        return this.#read(this.#client(step.client));
      case "halfClose":
        return this.#halfClose(this.#client(step.client));
      case "cancel":
        return this.#cancel(this.#client(step.client));
      case "resume":
        return this.#resume(this.#client(step.client));
      default:
        return step satisfies never;
    }
  }

  /** Lets everything come that is under way. */
  async finish(): Promise<void> {
    await this.#awaitPublishes();
    for (const client of this.#clients.values()) await this.#wait(client);
  }

  /** Every other client has a connection of its own, with a small window. */
  #client(number: number): FuzzClient {
    const known = this.#clients.get(number);
    if (known !== undefined) return known;
    const connection = number % 2 === 0 ? this.#node.connection : this.#node.connect(SMALL_WINDOW_BYTES);
    const client: FuzzClient = { connection, stream: undefined, wanted: new Map(), isHeld: false, lastId: 0n };
    this.#clients.set(number, client);
    return client;
  }

  /** The client's stream, or a new one if it has none that takes requests. */
  #streamOf(client: FuzzClient): ProbeStream {
    if (client.stream !== undefined && client.stream.end === undefined) return client.stream;
    client.stream = this.#node.open({ connection: client.connection });
    client.isHeld = false;
    return client.stream;
  }

  async #publish({ topics, rounds, large, awaited }: Extract<Step, { do: "publish" }>): Promise<void> {
    const all = Array.from({ length: rounds }, () => topics.map((topic) => this.#topic(topic))).flat();
    // Two requests to one topic at a time could not be told apart by their ids.
    await this.#awaitPublishes();
    const publishing = this.#node.publishAll(all, large ? LARGE_BYTES : SMALL_BYTES);
    if (awaited) {
      await publishing;
      return;
    }
    // Its failure is told when it is awaited.
    publishing.catch(() => {});
    this.#meanwhile.push(publishing);
  }

  async #awaitPublishes(): Promise<void> {
    const under = this.#meanwhile;
    this.#meanwhile = [];
    await Promise.all(under);
  }

  /** A Ping behind each Mutate tells when it has been read: fewer moments at which it may have taken effect. */
  #mutate({ client: number, add, remove, historyOnly, id }: MutateStep): void {
    const client = this.#client(number);
    const stream = this.#streamOf(client);
    if (id === "fresh") client.lastId = this.#node.nextId();
    const adds = add.map(({ topic, cursor }) => [topic, this.#cursor(topic, cursor)] as const);
    for (const topic of remove) client.wanted.delete(topic);
    if (!historyOnly) for (const [topic, cursor] of adds) client.wanted.set(topic, cursor);
    stream.mutate(id === "zero" ? 0n : client.lastId, {
      add: adds.map(([topic, cursor]) => [this.#topic(topic), cursor] as const),
      remove: remove.map((topic) => this.#topic(topic)),
      historyOnly,
    });
    this.#ask(stream);
  }

  /** A Ping: its Pong tells that everything before it has been read. Returns its nonce. */
  #ask(stream: ProbeStream): bigint {
    this.#nonce += 1n;
    stream.ping(this.#nonce);
    return this.#nonce;
  }

  async #wait(client: FuzzClient): Promise<void> {
    this.#read(client);
    const { stream } = client;
    if (stream === undefined) return;
    if (stream.end !== undefined) return;
    const last = this.#ask(stream);
    const has = () =>
      stream.end !== undefined || stream.frames.some((said) => said.kind === "pong" && said.nonce === last);
    await stream.until(has, `Pong ${last}, or the stream's end`);
  }

  /** Only on a connection of the client's own: what is not read there would hold up the publishers too. */
  #hold(client: FuzzClient): void {
    if (client.connection === this.#node.connection) return;
    if (client.stream === undefined || client.stream.end !== undefined) return;
    client.isHeld = true;
    client.stream.pauseAt((said) => said.kind === "messages" && said.lane !== LIVE);
  }

  #read(client: FuzzClient): void {
    if (!client.isHeld) return;
    client.isHeld = false;
    client.stream?.pauseAt(() => false);
    client.stream?.resume();
  }

  /** The stream drains by itself; the next request goes to a new one. */
  #halfClose(client: FuzzClient): void {
    this.#read(client);
    if (client.stream?.end === undefined) client.stream?.halfClose();
    client.stream = undefined;
    client.wanted.clear();
  }

  #cancel(client: FuzzClient): void {
    this.#letGo(client);
    client.wanted.clear();
  }

  #letGo(client: FuzzClient): void {
    this.#read(client);
    if (client.stream?.end === undefined) client.stream?.cancel();
    client.stream = undefined;
  }

  #resume(client: FuzzClient): void {
    const before = client.stream;
    const cursors = [...client.wanted].map(([topic, asked]) => [topic, this.#mark(before, topic, asked)] as const);
    this.#letGo(client);
    if (cursors.length === 0) return;
    const stream = this.#streamOf(client);
    client.lastId = this.#node.nextId();
    for (const [topic, cursor] of cursors) client.wanted.set(topic, cursor);
    stream.mutate(client.lastId, { add: cursors.map(([topic, cursor]) => [this.#topic(topic), cursor] as const) });
    this.#ask(stream);
  }

  /** Where a topic is to go on (C-3): at what was heard of it, or at the cursor it was added with. */
  #mark(stream: ProbeStream | undefined, topic: number, asked: bigint): bigint {
    const name = this.#topic(topic);
    let mark = asked;
    for (const said of stream?.frames ?? []) {
      if (said.kind !== "messages") continue;
      for (const message of said.messages) if (message.topic === name && message.id > mark) mark = message.id;
    }
    return mark;
  }

  #cursor(topic: number, cursor: Cursor): bigint {
    const ids = this.#node.idsOf(this.#topic(topic));
    const newest = ids.at(-1) ?? 0n;
    switch (cursor.kind) {
      case "start":
        return 0n;
      case "back":
        return ids.at(-1 - cursor.messages) ?? 0n;
      case "ahead":
        return newest + BigInt(cursor.ids);
      default:
        return cursor satisfies never;
    }
  }

  #topic(number: number): Topic {
    return this.#topics[number] ?? this.#node.group();
  }
}
