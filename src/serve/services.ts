/** Which RPCs this node serves, and what answers them. */

import { Code, type ConnectRouter } from "@connectrpc/connect";
import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import type { ServeMetrics } from "../base/metrics";
import { MlsApi } from "../wire/gen/mls/api/v1/mls_pb";
import { codeName, toConnectError } from "./errors";
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

const SERVED = [
  SEND_GROUP,
  SEND_WELCOME,
  QUERY_GROUP,
  QUERY_WELCOME,
  NEWEST_GROUP,
  SUBSCRIBE,
  SUBSCRIBE_GROUP,
  SUBSCRIBE_WELCOME,
] as const;

/**
 * Paths of the RPCs that are served, as `/package.Service/Method`. Everything else is UNIMPLEMENTED, and has to
 * leave as a Trailers-Only response, because native clients fall back only then (C-7).
 */
export const SERVED_PATHS: ReadonlySet<string> = new Set(
  SERVED.map(({ parent, name }) => `/${parent.typeName}/${name}`),
);

/** RPCs that no client calls: nobody need wait for them. */
const NEVER_SERVED: ReadonlySet<string> = new Set(
  ["RegisterInstallation", "RevokeInstallation", "GetIdentityUpdates"].map((name) => `/${MlsApi.typeName}/${name}`),
);

/** What a client is told that calls a path which is not served. */
export function unimplementedMessage(path: string): string {
  if (NEVER_SERVED.has(path)) return "this RPC is not part of the network any more; no node needs to serve it";
  return "this node does not serve this RPC; it serves publishing, queries and streams of xmtp.mls.api.v1.MlsApi";
}

/** Registers all RPCs that are served. */
export function registerServices(router: ConnectRouter, deps: ServiceDeps): void {
  const { publish, query, streams } = deps;
  const counted = <I, O>(name: string, call: (request: I) => Promise<O>) => countCalls(deps, name, call);
  router
    .rpc(
      SEND_GROUP,
      counted(SEND_GROUP.name, (request) => sendGroupMessages(publish, request)),
    )
    .rpc(
      SEND_WELCOME,
      counted(SEND_WELCOME.name, (request) => sendWelcomeMessages(publish, request)),
    )
    .rpc(
      QUERY_GROUP,
      counted(QUERY_GROUP.name, (request) => queryGroupMessages(query, request)),
    )
    .rpc(
      QUERY_WELCOME,
      counted(QUERY_WELCOME.name, (request) => queryWelcomeMessages(query, request)),
    )
    .rpc(
      NEWEST_GROUP,
      counted(NEWEST_GROUP.name, (request) => getNewestGroupMessage(query, request)),
    )
    .rpc(SUBSCRIBE, (requests, call) => subscribe(streams, requests, call))
    .rpc(SUBSCRIBE_GROUP, (request, call) => subscribeGroupMessages(streams, request, call))
    .rpc(SUBSCRIBE_WELCOME, (request, call) => subscribeWelcomeMessages(streams, request, call));
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
