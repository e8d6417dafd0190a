import * as http2 from "node:http2";
import { type Clock, systemClock } from "../../../src/base/clock";
import type { Add } from "../../../src/core/frame";
import {
  GroupMessageSchema,
  SubscribeGroupMessagesRequestSchema,
  SubscribeResponseSchema,
  SubscribeWelcomeMessagesRequestSchema,
  WelcomeMessageSchema,
} from "../../../src/wire/gen/mls/api/v1/mls_pb";
import { decodeBytes, encodeInit } from "../../../src/wire/init";
import { type Broken, UNBROKEN } from "./faults";
import { IdentityBook } from "./identities";
import { MessageLog } from "./log";
import { topicFrom } from "./publishing";
import { invalid, STATUS } from "./status";
import { ModelStream, type Response, type Wire } from "./stream";
import { orFail, serveIdentity, serveUnary, type UnaryParts } from "./unary";
import { faultOf, ModelCall } from "./wire";

const SERVICE = "/xmtp.mls.api.v1.MlsApi/";
const IDENTITY_SERVICE = "/xmtp.identity.api.v1.IdentityApi/";
const DEFAULT_KEEPALIVE_MS = 500;

export interface ModelOptions {
  /** What is wrong with it; nothing unless told. */
  readonly broken?: Broken;
  readonly keepaliveMs?: number;
}

type StreamListener = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

/** A whole node in a few hundred lines: the rules and nothing else, in memory, over real gRPC. */
export class ModelNode implements AsyncDisposable {
  readonly #server: http2.Http2Server;
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  readonly #log: MessageLog;
  readonly #book: IdentityBook;
  readonly #broken: Broken;
  readonly #keepaliveMs: number;
  readonly #clock: Clock = systemClock;

  private constructor({ broken = UNBROKEN, keepaliveMs = DEFAULT_KEEPALIVE_MS }: ModelOptions) {
    this.#broken = broken;
    this.#keepaliveMs = keepaliveMs;
    this.#log = new MessageLog(broken);
    this.#book = new IdentityBook(broken);
    this.#server = http2.createServer({ settings: { initialWindowSize: 1 << 20, maxConcurrentStreams: 10_000 } });
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("error", () => {});
      session.on("close", () => this.#sessions.delete(session));
    });
    const onStream: StreamListener = (stream, headers) => this.#onStream(new ModelCall(stream), headers);
    this.#server.on("stream", onStream);
  }

  static async start(options: ModelOptions = {}): Promise<ModelNode> {
    const node = new ModelNode(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    node.#server.once("error", reject);
    node.#server.listen({ host: "127.0.0.1", port: 0 }, resolve);
    await promise;
    return node;
  }

  /** Base URL. */
  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the model is not listening");
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const session of this.#sessions) session.destroy();
    await promise;
  }

  #onStream(call: ModelCall, headers: http2.IncomingHttpHeaders): void {
    const fault = faultOf(headers);
    if (fault !== undefined) {
      if ("http" in fault) call.refuse(fault.http);
      else call.end(fault);
      return;
    }
    const path = headers[":path"] ?? "";
    if (path.startsWith(IDENTITY_SERVICE)) {
      if (!serveIdentity(call, path.slice(IDENTITY_SERVICE.length), this.#unary)) this.#unimplemented(call);
    } else this.#serve(call, path.startsWith(SERVICE) ? path.slice(SERVICE.length) : "");
  }

  get #unary(): UnaryParts {
    return { log: this.#log, book: this.#book, broken: this.#broken, clock: this.#clock };
  }

  #unimplemented(call: ModelCall): void {
    if (this.#broken("unimplemented-in-trailers")) call.sendHeaders();
    call.end({ code: STATUS.unimplemented, words: "not served here" });
  }

  #serve(call: ModelCall, method: string): void {
    if (method === "Subscribe") this.#subscribe(call);
    else if (method === "SubscribeGroupMessages") this.#legacy(call, addsOfGroups);
    else if (method === "SubscribeWelcomeMessages") this.#legacy(call, addsOfWelcomes);
    else if (!serveUnary(call, method, this.#unary)) this.#unimplemented(call);
  }

  #subscribe(call: ModelCall): void {
    const wire: Wire = {
      send: (response, done) => {
        const version = { case: "v1", value: { response } } as const;
        call.send(encodeInit(SubscribeResponseSchema, { version }), done);
      },
      end: (status) => call.end(status),
    };
    const stream = this.#open(call, wire, this.#keepaliveMs);
    call.read(
      (bytes) => stream.request(bytes),
      () => stream.halfClose(),
      (status) => stream.fail(status),
    );
  }

  /** One fixed Mutate, and its messages one by one. */
  #legacy(call: ModelCall, addsOf: (bytes: Uint8Array) => readonly Add[]): void {
    if (!this.#broken("legacy-headers-late")) call.sendHeaders();
    const wire: Wire = {
      send: (response, done) => sendBare(call, response, done),
      end: (status) => call.end(status),
    };
    const stream = this.#open(call, wire, undefined);
    const begin = (bytes: Uint8Array) => {
      const asked = addsOf(bytes);
      const skip = this.#broken("legacy-without-history");
      const adds = asked.map(({ topic, cursor }) => ({ topic, cursor: skip ? this.#headOf(topic) : cursor }));
      stream.mutate({ id: 1n, adds, removes: [], historyOnly: false });
    };
    call.read(
      (bytes) => orFail(begin, bytes, (status) => stream.fail(status)),
      () => {},
      (status) => stream.fail(status),
    );
  }

  #headOf(topic: string): bigint {
    return this.#log.above(topic, 0n).at(-1)?.id ?? 0n;
  }

  #open(call: ModelCall, wire: Wire, keepaliveMs: number | undefined): ModelStream {
    const stream = new ModelStream(wire, { log: this.#log, broken: this.#broken, clock: this.#clock, keepaliveMs });
    call.onClose(() => stream.release());
    return stream;
  }
}

function addsOfGroups(bytes: Uint8Array): readonly Add[] {
  const { filters } = decodeBytes(SubscribeGroupMessagesRequestSchema, bytes);
  return filters.map(({ groupId, idCursor }) => ({ topic: topicFrom(0, groupId), cursor: idCursor }));
}

function addsOfWelcomes(bytes: Uint8Array): readonly Add[] {
  const { filters } = decodeBytes(SubscribeWelcomeMessagesRequestSchema, bytes);
  if (filters.length === 0) invalid("filters: wanted at least 1, found none");
  return filters.map(({ installationKey, idCursor }) => ({ topic: topicFrom(1, installationKey), cursor: idCursor }));
}

/** What a legacy stream says of a frame: its messages, one by one. */
function sendBare(call: ModelCall, response: Response, done: () => void): void {
  if (response.case !== "messages") {
    done();
    return;
  }
  const { groupMessages = [], welcomeMessages = [] } = response.value;
  const messages = [
    ...groupMessages.map((message) => encodeInit(GroupMessageSchema, message)),
    ...welcomeMessages.map((message) => encodeInit(WelcomeMessageSchema, message)),
  ];
  for (const [at, message] of messages.entries()) call.send(message, at === messages.length - 1 ? done : () => {});
}
