import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock";
import { GROUP, kindOf, type Topic, topicBytes, topicOf, WELCOME } from "../core/topic";
import type { MessageOf, Schema, UnaryMethod } from "../wire/codec";
import {
  type GroupMessageInputSchema,
  MlsApi,
  SortDirection,
  type WelcomeMessageInputSchema,
} from "../wire/gen/mls/api/v1/mls_pb";
import type { InitOf } from "../wire/init";
import { expectThat } from "./case";
import { Connection } from "./connection";
import { type HeardMessage, heardGroupMessage, heardWelcome } from "./heard";
import { Ledger } from "./ledger";
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
  #nextId = 1n;

  constructor({ address, keepaliveMs, patienceMs, clock }: NodeOptions) {
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
    const stream = new ProbeStream({ connection, ledger, waiters, patienceMs, answering });
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
    const publication = this.ledger.begin();
    const [first] = topics;
    if (first === undefined) return [];
    if (kindOf(first) === GROUP)
      await this.ok(MlsApi.method.sendGroupMessages, { messages: groupInputs(topics, bytes) });
    else await this.ok(MlsApi.method.sendWelcomeMessages, { messages: welcomeInputs(topics, bytes) });
    this.ledger.acked(publication);
    const rows: HeardMessage[] = [];
    for (const topic of new Set(topics)) rows.push(...(await this.#newRows(topic)));
    expectThat(
      rows.length === topics.length,
      `a query to find the ${topics.length} messages that were just acked (a client reads its own writes)`,
      `${rows.length} messages`,
    );
    this.ledger.learn(publication, rows);
    return rows.map(({ id }) => id).toSorted((a, b) => (a < b ? -1 : 1));
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

  #newRows(topic: Topic): Promise<readonly HeardMessage[]> {
    return this.stored(topic, this.ledger.newestOf(topic));
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

function groupInputs(topics: readonly Topic[], bytes: number): InitOf<typeof GroupMessageInputSchema>[] {
  return topics.map((topic) => ({
    version: { case: "v1", value: { data: mlsMessage({ groupId: identifierOf(topic), bytes }) } },
  }));
}

function welcomeInputs(topics: readonly Topic[], bytes: number): InitOf<typeof WelcomeMessageInputSchema>[] {
  return topics.map((topic) => ({
    version: {
      case: "v1",
      value: {
        installationKey: identifierOf(topic),
        data: randomBytes(Math.max(16, bytes)),
        hpkePublicKey: randomBytes(32),
        wrapperAlgorithm: CURVE25519,
      },
    },
  }));
}
