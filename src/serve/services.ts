/** Which RPCs this node serves, and what answers them. */

import { Code, type ConnectRouter } from "@connectrpc/connect";
import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import type { ServeMetrics } from "../base/metrics";
import {
  type GetNewestGroupMessageRequest,
  MlsApi,
  type QueryGroupMessagesRequest,
  type QueryWelcomeMessagesRequest,
  type SendGroupMessagesRequest,
  type SendWelcomeMessagesRequest,
} from "../wire/gen/mls/api/v1/mls_pb";
import { encodeQueryGroupMessagesResponse, queryGroupMessagesResponse } from "../wire/unary";
import { codeName, toConnectError } from "./errors";
import { encodedRpc, type UnaryRpc, unaryRpc } from "./h2-unary-rpc";
import { type PublishDeps, sendGroupMessages, sendWelcomeMessages } from "./mls-api-publish";
import { subscribe, subscribeGroupMessages, subscribeWelcomeMessages } from "./mls-api-streams";
import { getNewestGroupMessage, type QueryDeps, queryGroupMessages, queryWelcomeMessages } from "./query";
import type { StreamHost } from "./runner-host";

/** What the services take. */
export interface ServiceDeps {
  readonly publish: PublishDeps;
  readonly query: QueryDeps;
  readonly streams: StreamHost;
  readonly metrics: ServeMetrics;
  readonly clock: Pick<Clock, "now">;
  readonly log: Logger;
}

const {
  sendGroupMessages: SEND_GROUP,
  sendWelcomeMessages: SEND_WELCOME,
  queryGroupMessages: QUERY_GROUP,
  queryWelcomeMessages: QUERY_WELCOME,
  getNewestGroupMessage: NEWEST_GROUP,
  subscribe: SUBSCRIBE,
  subscribeGroupMessages: SUBSCRIBE_GROUP,
  subscribeWelcomeMessages: SUBSCRIBE_WELCOME,
} = MlsApi.method;

/** RPCs that no client calls: nobody need wait for them. */
const NEVER_SERVED: ReadonlySet<string> = new Set(
  ["RegisterInstallation", "RevokeInstallation", "GetIdentityUpdates"].map((name) => `/${MlsApi.typeName}/${name}`),
);

/** What a client is told that calls a path which is not served. */
export function unimplementedMessage(path: string): string {
  if (NEVER_SERVED.has(path)) return "this RPC is not part of the network any more; no node needs to serve it";
  return "this node does not serve this RPC; it serves publishing, queries and streams of xmtp.mls.api.v1.MlsApi";
}

/**
 * Registers all RPCs that are served. Everything else is UNIMPLEMENTED, and has to leave as a Trailers-Only
 * response, because native clients fall back only then (C-7).
 */
export function registerServices(router: ConnectRouter, deps: ServiceDeps): void {
  const { streams } = deps;
  const calls = countedCalls(deps);
  router
    .rpc(SEND_GROUP, calls.sendGroup)
    .rpc(SEND_WELCOME, calls.sendWelcome)
    .rpc(QUERY_GROUP, async (request) => queryGroupMessagesResponse(await calls.queryGroup(request)))
    .rpc(QUERY_WELCOME, calls.queryWelcome)
    .rpc(NEWEST_GROUP, calls.newestGroup)
    .rpc(SUBSCRIBE, (requests, call) => subscribe(streams, requests, call))
    .rpc(SUBSCRIBE_GROUP, (request, call) => subscribeGroupMessages(streams, request, call))
    .rpc(SUBSCRIBE_WELCOME, (request, call) => subscribeWelcomeMessages(streams, request, call));
}

/** Of these RPCs those that gRPC's clients get without Connect in between: the ones that are called often. */
export function unaryRpcs(deps: ServiceDeps): readonly UnaryRpc[] {
  const calls = countedCalls(deps);
  return [
    unaryRpc(SEND_GROUP, calls.sendGroup),
    unaryRpc(SEND_WELCOME, calls.sendWelcome),
    encodedRpc(QUERY_GROUP, async (request) => encodeQueryGroupMessagesResponse(await calls.queryGroup(request))),
    unaryRpc(QUERY_WELCOME, calls.queryWelcome),
    unaryRpc(NEWEST_GROUP, calls.newestGroup),
  ];
}

/** The unary RPCs, each once, whatever way it is called. */
function countedCalls(deps: ServiceDeps) {
  const { publish, query } = deps;
  const counted = <I, O>({ name }: { readonly name: string }, call: (request: I) => Promise<O>) =>
    countCalls(deps, name, call);
  return {
    sendGroup: counted(SEND_GROUP, (request: SendGroupMessagesRequest) => sendGroupMessages(publish, request)),
    sendWelcome: counted(SEND_WELCOME, (request: SendWelcomeMessagesRequest) => sendWelcomeMessages(publish, request)),
    queryGroup: counted(QUERY_GROUP, (request: QueryGroupMessagesRequest) => queryGroupMessages(query, request)),
    queryWelcome: counted(QUERY_WELCOME, (request: QueryWelcomeMessagesRequest) =>
      queryWelcomeMessages(query, request),
    ),
    newestGroup: counted(NEWEST_GROUP, (request: GetNewestGroupMessageRequest) =>
      getNewestGroupMessage(query, request),
    ),
  };
}

/** Counts a call, and sees that what it throws is a ConnectError and, where it is our fault, is logged. */
function countCalls<I, O>(
  deps: ServiceDeps,
  name: string,
  call: (request: I) => Promise<O>,
): (request: I) => Promise<O> {
  const { metrics, clock, log } = deps;
  return async (request) => {
    const begun = clock.now();
    metrics.calls.add(name);
    try {
      const response = await call(request);
      metrics.callSeconds.observe((clock.now() - begun) / 1_000);
      return response;
    } catch (error) {
      const told = toConnectError(error);
      metrics.callsFailed.add(codeName(told.code));
      if (told.code === Code.Internal) log.error("call failed", { rpc: name, stack: stackOf(error) });
      throw told;
    }
  };
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
