/** A foreign gRPC client: @grpc/grpc-js with MlsApi's streams defined by hand. */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  type ServiceError,
} from "@grpc/grpc-js";
import { topicBytes } from "../../src/core/topic";
import {
  type GroupMessage,
  GroupMessageSchema,
  type SubscribeGroupMessagesRequest,
  SubscribeGroupMessagesRequestSchema,
  type SubscribeRequest,
  type SubscribeRequest_V1Schema,
  SubscribeRequestSchema,
  type SubscribeResponse,
  SubscribeResponseSchema,
} from "../../src/wire/gen/mls/api/v1/mls_pb";
import { until } from "./until";

export const SUBSCRIBE_PATH = "/xmtp.mls.api.v1.MlsApi/Subscribe";
export const SUBSCRIBE_GROUPS_PATH = "/xmtp.mls.api.v1.MlsApi/SubscribeGroupMessages";

/** What a stream says, with less around it. */
export type Said =
  | { readonly kind: "started"; readonly keepaliveMs: number }
  | { readonly kind: "messages"; readonly lane: bigint; readonly ids: readonly bigint[] }
  | { readonly kind: "topicsLive"; readonly topics: number }
  | { readonly kind: "complete"; readonly id: bigint }
  | { readonly kind: "ping"; readonly nonce: bigint }
  | { readonly kind: "pong"; readonly nonce: bigint };

export interface MutateInit {
  readonly adds?: readonly { readonly topic: string; readonly cursor?: bigint }[];
  readonly removes?: readonly string[];
  readonly historyOnly?: boolean;
}

/** One Subscribe stream and what came of it. */
export class SubscribeCall {
  readonly said: Said[] = [];
  /** The status's code and words, once the stream has ended. */
  status: { readonly code: number; readonly details: string } | undefined;
  readonly call: ClientDuplexStream<SubscribeRequest, SubscribeResponse>;
  /** Whether Pings are answered. */
  #answering: boolean;

  constructor(call: ClientDuplexStream<SubscribeRequest, SubscribeResponse>, answering: boolean) {
    this.call = call;
    this.#answering = answering;
    call.on("data", (response: SubscribeResponse) => this.#hear(response));
    call.on("error", (_: ServiceError) => {});
    call.on("status", ({ code, details }) => {
      this.status = { code, details };
    });
  }

  mutate(id: bigint, init: MutateInit): void {
    this.call.write(mutateRequest(id, init));
  }

  ping(nonce: bigint): void {
    this.call.write(v1({ case: "ping", value: { nonce } }));
  }

  pong(nonce: bigint): void {
    this.call.write(v1({ case: "pong", value: { nonce } }));
  }

  /** No Ping is answered any more. */
  stopAnswering(): void {
    this.#answering = false;
  }

  /** Ids delivered in a lane so far. */
  idsOf(lane: bigint): readonly bigint[] {
    return this.said.flatMap((said) => (said.kind === "messages" && said.lane === lane ? said.ids : []));
  }

  count(kind: Said["kind"]): number {
    return this.said.filter((said) => said.kind === kind).length;
  }

  async heard(fits: (said: Said) => boolean, what: string): Promise<Said> {
    await until(() => this.said.some(fits), what);
    const found = this.said.find(fits);
    if (found === undefined) throw new Error(`no ${what}`);
    return found;
  }

  async completed(id: bigint): Promise<void> {
    await this.heard((said) => said.kind === "complete" && said.id === id, `CatchupComplete ${id}`);
  }

  async ended(withinMs?: number): Promise<{ readonly code: number; readonly details: string }> {
    // The status is told when it arrives, even before what was sent ahead of it has been read.
    const isEnded = () => this.status !== undefined && (this.status.code !== 0 || this.call.readableEnded);
    await until(isEnded, "the stream's end", withinMs);
    if (this.status === undefined) throw new Error("no status");
    return this.status;
  }

  #hear(response: SubscribeResponse): void {
    const said = saidBy(response);
    if (said === undefined) return;
    this.said.push(said);
    if (said.kind === "ping" && this.#answering) this.pong(said.nonce);
  }
}

/** How a unary call ended. */
interface Unary {
  readonly code: number;
  readonly details: string;
  readonly response: Buffer;
}

/** A client with a connection of its own. */
export class GrpcClient implements Disposable {
  readonly #client: Client;

  /** `ca`: a certificate in PEM, with which the connection is made over TLS. */
  constructor(port: number, ca?: string) {
    const trust = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
    this.#client = new Client(`127.0.0.1:${port}`, trust, {
      "grpc.use_local_subchannel_pool": 1,
      ...(ca !== undefined && { "grpc.ssl_target_name_override": "localhost" }),
    });
  }

  subscribe({ answering = true }: { readonly answering?: boolean } = {}): SubscribeCall {
    const call = this.#client.makeBidiStreamRequest(
      SUBSCRIBE_PATH,
      writer(SubscribeRequestSchema),
      reader(SubscribeResponseSchema),
    );
    return new SubscribeCall(call, answering);
  }

  subscribeGroups(request: SubscribeGroupMessagesRequest): ClientReadableStream<GroupMessage> {
    return this.#client.makeServerStreamRequest(
      SUBSCRIBE_GROUPS_PATH,
      writer(SubscribeGroupMessagesRequestSchema),
      reader(GroupMessageSchema),
      request,
    );
  }

  /** A unary call, with an empty request unless told: resolves with its status. */
  async call(path: string, request = Buffer.alloc(0)): Promise<{ readonly code: number; readonly details: string }> {
    const { code, details } = await this.#unary(path, request);
    return { code, details };
  }

  /** A unary call that has to go well: resolves with its response. */
  async ask<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const path = `/${method.parent.typeName}/${method.name}`;
    const encoded = Buffer.from(toBinary(method.input, create(method.input, request)));
    const { code, details, response } = await this.#unary(path, encoded);
    if (code !== 0) throw new Error(`${method.name} failed with ${code}: ${details}`);
    return fromBinary(method.output, response);
  }

  #unary(path: string, request: Buffer): Promise<Unary> {
    const { promise, resolve } = Promise.withResolvers<Unary>();
    const bytes = (value: Buffer) => value;
    this.#client.makeUnaryRequest(path, bytes, bytes, request, (error, response = Buffer.alloc(0)) => {
      resolve({ code: error?.code ?? 0, details: error?.details ?? "", response });
    });
    return promise;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** A Mutate as a request. */
export function mutateRequest(
  id: bigint,
  { adds = [], removes = [], historyOnly = false }: MutateInit,
): SubscribeRequest {
  return v1({
    case: "mutate",
    value: {
      mutateId: id,
      adds: adds.map(({ topic, cursor = 0n }) => ({ topic: topicBytes(topic), idCursor: cursor })),
      removes: removes.map(topicBytes),
      historyOnly,
    },
  });
}

/** A request's bytes in an envelope. */
export function envelopeOf(request: SubscribeRequest): Buffer {
  const bytes = toBinary(SubscribeRequestSchema, request);
  const envelope = Buffer.alloc(5 + bytes.length);
  envelope.writeUInt32BE(bytes.length, 1);
  envelope.set(bytes, 5);
  return envelope;
}

/** What the whole envelopes of a response's body say. Envelopes with flags are left out. */
export function saidIn(body: Buffer): readonly Said[] {
  return envelopesIn(body).flatMap(({ flags, message }) => {
    const said = flags === 0 ? saidBy(fromBinary(SubscribeResponseSchema, message)) : undefined;
    return said === undefined ? [] : [said];
  });
}

/** The whole envelopes of a body. */
export function envelopesIn(body: Buffer): readonly { readonly flags: number; readonly message: Buffer }[] {
  const found: { readonly flags: number; readonly message: Buffer }[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) break;
    found.push({ flags: body.readUInt8(at), message: body.subarray(at + 5, end) });
    at = end;
  }
  return found;
}

function v1(request: MessageInitShape<typeof SubscribeRequest_V1Schema>["request"]): SubscribeRequest {
  return create(SubscribeRequestSchema, { version: { case: "v1", value: { ...(request && { request }) } } });
}

function saidBy(response: SubscribeResponse): Said | undefined {
  const said = response.version.case === "v1" ? response.version.value.response : undefined;
  switch (said?.case) {
    case "started":
      return { kind: "started", keepaliveMs: said.value.keepaliveIntervalMs };
    case "messages":
      return { kind: "messages", lane: said.value.mutateId, ids: said.value.groupMessages.map(idOf) };
    case "topicsLive":
      return { kind: "topicsLive", topics: said.value.topics.length };
    case "catchupComplete":
      return { kind: "complete", id: said.value.mutateId };
    case "ping":
    case "pong":
      return { kind: said.case, nonce: said.value.nonce };
    case undefined:
      return undefined;
  }
}

function idOf(message: GroupMessage): bigint {
  return message.version.case === "v1" ? message.version.value.id : 0n;
}

function writer<D extends DescMessage>(schema: D): (message: MessageShape<D>) => Buffer {
  return (message) => Buffer.from(toBinary(schema, message));
}

function reader<D extends DescMessage>(schema: D): (bytes: Buffer) => MessageShape<D> {
  return (bytes) => fromBinary(schema, bytes);
}
