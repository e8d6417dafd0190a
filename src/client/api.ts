import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, type Http2SessionManager } from "@connectrpc/connect-node";
import { MlsApi } from "../wire/gen/mls/api/v1/mls_pb";
import { nodeErrorOf } from "./errors";
import {
  fromWireGroupMessage,
  fromWireWelcomeMessage,
  type GroupMessage,
  type WelcomeContent,
  type WelcomeMessage,
} from "./messages";
import { known, type Page, type PageQuery, toPage, toPagingInfo } from "./paging";
import { sessionsWith, type Trust } from "./transport";

export interface ApiOptions extends Trust {
  /** Base URL of the node, as http://127.0.0.1:5556. */
  readonly address: string;
  /** How long one call may take, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number;
}

export interface GroupMessageToSend {
  /** An MLS message (PrivateMessage): the node takes group and epoch from it. */
  readonly data: Uint8Array;
  readonly senderHmac?: Uint8Array;
  readonly shouldPush?: boolean;
}

export interface WelcomeMessageToSend {
  readonly installationKey: Uint8Array;
  readonly content: WelcomeContent;
}

/** The calls of a node that are no streams. All of them throw NodeError, and share one HTTP/2 connection. */
export class NodeApi implements Disposable {
  readonly #sessions: Http2SessionManager;
  readonly #client;

  constructor({ address, timeoutMs = 30_000, ca }: ApiOptions) {
    this.#sessions = sessionsWith(address, { ca });
    const sessionManager = this.#sessions;
    const transport = createGrpcTransport({ baseUrl: address, sessionManager, defaultTimeoutMs: timeoutMs });
    this.#client = createClient(MlsApi, transport);
  }

  /** Stores all of the messages or none, and resolves when they are durable. One that is stored already is no error. */
  async sendGroupMessages(messages: readonly GroupMessageToSend[], signal?: AbortSignal): Promise<void> {
    const inputs = messages.map((value) => ({ version: { case: "v1", value } }) as const);
    await answered(this.#client.sendGroupMessages({ messages: inputs }, options(signal)));
  }

  /** Stores all of the welcomes or none, and resolves when they are durable. One that is stored already is no error. */
  async sendWelcomeMessages(messages: readonly WelcomeMessageToSend[], signal?: AbortSignal): Promise<void> {
    await answered(this.#client.sendWelcomeMessages({ messages: messages.map(toWelcomeInput) }, options(signal)));
  }

  /** A page of a group's messages. */
  async queryGroupMessages(groupId: Uint8Array, query: PageQuery, signal?: AbortSignal): Promise<Page<GroupMessage>> {
    const request = { groupId, pagingInfo: toPagingInfo(query) };
    const response = await answered(this.#client.queryGroupMessages(request, options(signal)));
    return toPage(known(response.messages.map(fromWireGroupMessage)), response.pagingInfo);
  }

  /** A page of an installation's welcomes. */
  async queryWelcomeMessages(
    installationKey: Uint8Array,
    query: PageQuery,
    signal?: AbortSignal,
  ): Promise<Page<WelcomeMessage>> {
    const request = { installationKey, pagingInfo: toPagingInfo(query) };
    const response = await answered(this.#client.queryWelcomeMessages(request, options(signal)));
    return toPage(known(response.messages.map(fromWireWelcomeMessage)), response.pagingInfo);
  }

  /** For each group its newest message; same order and length. */
  async newestGroupMessages(
    groupIds: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<readonly (GroupMessage | undefined)[]> {
    const request = { groupIds: [...groupIds], includeContent: true };
    const { responses } = await answered(this.#client.getNewestGroupMessage(request, options(signal)));
    return responses.map(({ groupMessage }) => groupMessage && fromWireGroupMessage(groupMessage));
  }

  /** Hangs up. Calls that are still open fail. */
  [Symbol.dispose](): void {
    this.#sessions.abort();
  }
}

function options(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { signal };
}

async function answered<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw nodeErrorOf(error);
  }
}

function toWelcomeInput({ installationKey, content }: WelcomeMessageToSend) {
  if (content.form === "welcome") {
    const { data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata } = content;
    const value = { installationKey, data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata };
    return { version: { case: "v1", value } } as const;
  }
  const { welcomePointer, hpkePublicKey, wrapperAlgorithm } = content;
  const value = { installationKey, welcomePointer, hpkePublicKey, wrapperAlgorithm };
  return { version: { case: "welcomePointer", value } } as const;
}
