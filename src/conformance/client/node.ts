import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock";
import { GROUP, kindOf, type Topic, topicBytes, topicOf, WELCOME } from "../../core/topic";
import type { MessageOf, Schema, UnaryMethod } from "../../wire/codec";
import {
  type GroupMessageInputSchema,
  MlsApi,
  SortDirection,
  type WelcomeMessageInputSchema,
} from "../../wire/gen/mls/api/v1/mls_pb";
import type { InitOf } from "../../wire/init";
import { expectThat } from "../failure";
import { Ledger } from "../ledger";
import { Connection } from "./connection";
import { type HeardMessage, heardGroupMessage, heardWelcome } from "./heard";
import { LongHistory, type LongTopic } from "./long-history";
import { mlsMessage } from "./payload";
import { ProbeStream } from "./probe-stream";
import { call, callOk, callRaw, type Reply, type UnaryParts } from "./unary";
import { Waiters } from "./wait";

export interface NodeOptions {
  /** Base URL: http (h2c) or https. */
  readonly address: string;
  /** What Started says, in milliseconds. */
  readonly keepaliveMs: number;
  /** How long a case waits for what has to come soon, in milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
  /** What cases of one run share; made anew unless given. */
  readonly longHistory?: LongHistory;
}

export interface OpenOptions {
  /** Whether Pings of the server are answered; they are unless told. */
  readonly answering?: boolean;
  /** A connection of the case's own instead of the one it has. */
  readonly connection?: Connection;
}

/** WelcomeWrapperAlgorithm CURVE25519. */
const CURVE25519 = 1;
const MAX_PAGE_ROWS = 100;
/** The long topic: requests that the default limits of gRPC servers let pass, of pieces larger than HTTP/2's default window. */
const LONG_REQUESTS = 2;
const LONG_PIECES = 8;
const PIECE_BYTES = 128 * 1024;

/**
 * The server as one case sees it: a connection of the case's own, topics that nobody else has, and an account of all
 * that was published and heard. So cases neither disturb each other nor what else the server does.
 */
export class NodeUnderTest implements Disposable {
  readonly address: string;
  readonly keepaliveMs: number;
  readonly patienceMs: number;
  readonly clock: Clock;
  readonly ledger = new Ledger();
  readonly waiters: Waiters;
  /** Every Subscribe stream the case has opened. */
  readonly streams: ProbeStream[] = [];
  readonly #connection: Connection;
  readonly #others: Connection[] = [];
  readonly #longHistory: LongHistory;
  #nextId = 1n;

  constructor({ address, keepaliveMs, patienceMs, clock, longHistory = new LongHistory() }: NodeOptions) {
    this.#longHistory = longHistory;
    this.address = address;
    this.keepaliveMs = keepaliveMs;
    this.patienceMs = patienceMs;
    this.clock = clock;
    this.waiters = new Waiters(clock);
    this.#connection = new Connection({ address });
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** A group that nobody else has. */
  group(): Topic {
    return topicOf(GROUP, randomBytes(16));
  }

  groups(count: number): readonly Topic[] {
    return Array.from({ length: count }, () => this.group());
  }

  /** An installation's welcome topic that nobody else has. */
  welcome(): Topic {
    return topicOf(WELCOME, randomBytes(32));
  }

  /** A mutate_id that no other Mutate of the case has. */
  nextId(): bigint {
    return this.#nextId++;
  }

  /** Opens a stream. It need not have been answered yet. */
  open({ answering = true, connection = this.#connection }: OpenOptions = {}): ProbeStream {
    const { ledger, waiters, patienceMs } = this;
    const ownConnection = connection === this.#connection;
    const stream = new ProbeStream({ connection, ownConnection, ledger, waiters, patienceMs, answering });
    this.streams.push(stream);
    return stream;
  }

  /** One more connection. `windowBytes`: how much the server may send ahead per stream. */
  connect(windowBytes?: number): Connection {
    const connection = new Connection({ address: this.address, ...(windowBytes !== undefined && { windowBytes }) });
    this.#others.push(connection);
    return connection;
  }

  /**
   * Publishes messages to a topic with one request, and returns their ids, ascending, once the server has acked them.
   * @throws ConformanceFailure if it does not, or if a query then does not find them.
   */
  async publish(topic: Topic, count = 1, bytes = 16): Promise<readonly bigint[]> {
    return await this.publishAll(
      Array.from({ length: count }, () => topic),
      bytes,
    );
  }

  /** Publishes one message to each of these topics of one kind, in this order, with one request. */
  async publishAll(topics: readonly Topic[], bytes = 16): Promise<readonly bigint[]> {
    const known = new Map(topics.map((topic) => [topic, this.ledger.newestOf(topic)]));
    const publication = this.ledger.begin();
    const sent = await this.#send(topics, bytes);
    this.ledger.acked(publication);
    const stored = await Promise.all([...known].map(([topic, cursor]) => this.stored(topic, cursor)));
    const rows = stored.flat().filter(({ data }) => sent.has(digestOf(data)));
    const ownWrites = `a query to find the ${sent.size} messages that were just acked (a client reads its own writes)`;
    expectThat(rows.length === sent.size, ownWrites, `${rows.length} messages`);
    this.ledger.learn(publication, rows);
    return ascending(rows.map(({ id }) => id));
  }

  /** A topic that all cases of the run read, and none publishes to, with 2 MiB of history. */
  async longTopic(): Promise<LongTopic> {
    const long = await this.#longHistory.get(() => this.#makeLongTopic());
    this.ledger.adopt(long.messages);
    return long;
  }

  /** Ids of a topic that this case published, ascending. */
  idsOf(topic: Topic): readonly bigint[] {
    return this.ledger.idsOf(topic);
  }

  /** Everything of a topic above `cursor`, ascending, as queries tell it. */
  async stored(topic: Topic, cursor = 0n): Promise<readonly HeardMessage[]> {
    const found: HeardMessage[] = [];
    for (let from = cursor; ; ) {
      const page = await this.#page(topic, from);
      found.push(...page);
      const last = page.at(-1);
      if (page.length < MAX_PAGE_ROWS || last === undefined) return found;
      from = last.id;
    }
  }

  /** A unary call, whatever comes of it. */
  call<I extends Schema, O extends Schema>(
    method: UnaryMethod<I, O>,
    request: InitOf<I>,
  ): Promise<Reply<MessageOf<O>>> {
    return call(this.#unary, method, request);
  }

  /** A unary call that has to succeed. @throws ConformanceFailure */
  ok<I extends Schema, O extends Schema>(method: UnaryMethod<I, O>, request: InitOf<I>): Promise<MessageOf<O>> {
    return callOk(this.#unary, method, request);
  }

  /** A call to any path with any body. */
  raw(path: string, body: Uint8Array): ReturnType<typeof callRaw> {
    return callRaw(this.#unary, path, body);
  }

  /** Lets time pass. */
  sleep(ms: number): Promise<void> {
    return this.clock.sleep(ms);
  }

  [Symbol.dispose](): void {
    for (const stream of this.streams) if (stream.end === undefined) stream.cancel();
    for (const connection of [this.#connection, ...this.#others]) connection[Symbol.dispose]();
  }

  get #unary(): UnaryParts {
    return { connection: this.#connection, waiters: this.waiters, patienceMs: this.patienceMs * 2 };
  }

  async #makeLongTopic(): Promise<LongTopic> {
    const topic = this.group();
    for (let request = 0; request < LONG_REQUESTS; request++) await this.#send(repeat(topic, LONG_PIECES), PIECE_BYTES);
    return { topic, messages: await this.stored(topic) };
  }

  /** Publishes and returns what was sent, as digests. */
  async #send(topics: readonly Topic[], bytes: number): Promise<ReadonlySet<string>> {
    const isGroup = topics.every((topic) => kindOf(topic) === GROUP);
    const datas = topics.map((topic) =>
      isGroup ? mlsMessage({ groupId: identifierOf(topic), bytes }) : randomBytes(Math.max(16, bytes)),
    );
    if (isGroup) {
      await this.ok(MlsApi.method.sendGroupMessages, { messages: datas.map(groupInput) });
    } else {
      const messages = topics.map((topic, at) => welcomeInput(topic, datas[at] ?? new Uint8Array()));
      await this.ok(MlsApi.method.sendWelcomeMessages, { messages });
    }
    return new Set(datas.map(digestOf));
  }

  async #page(topic: Topic, idCursor: bigint): Promise<readonly HeardMessage[]> {
    const pagingInfo = { direction: SortDirection.ASCENDING, limit: MAX_PAGE_ROWS, idCursor };
    const identifier = identifierOf(topic);
    if (kindOf(topic) === GROUP) {
      const request = { groupId: identifier, pagingInfo };
      return (await this.ok(MlsApi.method.queryGroupMessages, request)).messages.map(heardGroupMessage);
    }
    const request = { installationKey: identifier, pagingInfo };
    return (await this.ok(MlsApi.method.queryWelcomeMessages, request)).messages.map(heardWelcome);
  }
}

/** The identifier of a topic: group id or installation key. */
export function identifierOf(topic: Topic): Uint8Array {
  return topicBytes(topic).subarray(1);
}

function repeat(topic: Topic, count: number): readonly Topic[] {
  return Array.from({ length: count }, () => topic);
}

function groupInput(data: Uint8Array): InitOf<typeof GroupMessageInputSchema> {
  return { version: { case: "v1", value: { data } } };
}

function welcomeInput(topic: Topic, data: Uint8Array): InitOf<typeof WelcomeMessageInputSchema> {
  const installationKey = identifierOf(topic);
  const hpkePublicKey = randomBytes(32);
  return { version: { case: "v1", value: { installationKey, data, hpkePublicKey, wrapperAlgorithm: CURVE25519 } } };
}

function digestOf(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("base64");
}

function ascending(ids: readonly bigint[]): readonly bigint[] {
  return ids.toSorted((a, b) => (a < b ? -1 : 1));
}
