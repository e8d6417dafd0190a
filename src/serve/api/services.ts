/** Which RPCs this node serves, and what answers them. */

import { Code, type ConnectRouter } from "@connectrpc/connect";
import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import type { ServeMetrics } from "../../base/metrics";
import { stackOf } from "../../base/thrown";
import type { MessageOf, Schema, UnaryMethod } from "../../wire/codec";
import { IdentityApi } from "../../wire/gen/identity/api/v1/identity_pb";
import { MlsApi, type QueryGroupMessagesRequest } from "../../wire/gen/mls/api/v1/mls_pb";
import { encodeQueryGroupMessagesResponse, queryGroupMessagesResponse } from "../../wire/unary";
import { codeName, toConnectError } from "../errors";
import type { StreamHost } from "../stream/host";
import { batchPublishCommitLog, batchQueryCommitLog, type CommitLogDeps } from "./commit-log";
import { getIdentityUpdates, getInboxIds, type IdentityDeps, publishIdentityUpdate } from "./identity";
import { fetchKeyPackages, type KeyPackageDeps, uploadKeyPackage } from "./key-packages";
import { type PublishDeps, sendGroupMessages, sendWelcomeMessages } from "./publish";
import { getNewestGroupMessage, type QueryDeps, queryGroupMessages, queryWelcomeMessages } from "./query";
import { subscribe, subscribeGroupMessages, subscribeWelcomeMessages } from "./streams";
import { encodedRpc, type UnaryRpc, unaryRpc } from "./unary-rpc";
import { verifyWalletSignatures } from "./wallet-signatures";

/** What the services take. */
export interface ServiceDeps {
  readonly publish: PublishDeps;
  readonly query: QueryDeps;
  readonly identity: IdentityDeps;
  readonly keyPackages: KeyPackageDeps;
  readonly commitLogs: CommitLogDeps;
  readonly streams: StreamHost;
  readonly metrics: ServeMetrics;
  readonly clock: Pick<Clock, "now">;
  readonly log: Logger;
}

/** RPCs that no client calls: nobody need wait for them. */
const NEVER_SERVED: ReadonlySet<string> = new Set(
  ["RegisterInstallation", "RevokeInstallation", "GetIdentityUpdates"].map((name) => `/${MlsApi.typeName}/${name}`),
);

/** What a client is told that calls a path which is not served. */
export function unimplementedMessage(path: string): string {
  if (NEVER_SERVED.has(path)) return "this RPC is not part of the network any more; no node needs to serve it";
  return "this node does not serve this RPC; it serves xmtp.mls.api.v1.MlsApi and xmtp.identity.api.v1.IdentityApi";
}

/**
 * Registers all RPCs that are served. Everything else is UNIMPLEMENTED, and has to leave as a Trailers-Only
 * response, because native clients fall back only then (C-7).
 */
export function registerServices(router: ConnectRouter, deps: ServiceDeps): void {
  const { streams } = deps;
  const { subscribe: mutable, subscribeGroupMessages: ofGroups, subscribeWelcomeMessages: ofWelcomes } = MlsApi.method;
  for (const { register } of unaryServices(deps)) register(router);
  router
    .rpc(mutable, (requests, call) => subscribe(streams, requests, call))
    .rpc(ofGroups, (request, call) => subscribeGroupMessages(streams, request, call))
    .rpc(ofWelcomes, (request, call) => subscribeWelcomeMessages(streams, request, call));
}

/** Those that are no streams, for gRPC's clients, who get them without Connect in between. */
export function unaryRpcs(deps: ServiceDeps): readonly UnaryRpc[] {
  return unaryServices(deps).map(({ unary }) => unary);
}

/** An RPC that is no stream, for either way of calling it. */
interface UnaryService {
  readonly unary: UnaryRpc;
  register(router: ConnectRouter): void;
}

function unaryServices(deps: ServiceDeps): readonly UnaryService[] {
  return [...messageServices(deps), ...identityServices(deps)];
}

function messageServices(deps: ServiceDeps): readonly UnaryService[] {
  const { publish, query } = deps;
  const { method } = MlsApi;
  return [
    served(deps, method.sendGroupMessages, (request) => sendGroupMessages(publish, request)),
    served(deps, method.sendWelcomeMessages, (request) => sendWelcomeMessages(publish, request)),
    queryGroupService(deps),
    served(deps, method.queryWelcomeMessages, (request) => queryWelcomeMessages(query, request)),
    served(deps, method.getNewestGroupMessage, (request) => getNewestGroupMessage(query, request)),
  ];
}

function identityServices(deps: ServiceDeps): readonly UnaryService[] {
  const { identity, keyPackages, commitLogs } = deps;
  const { method: mls } = MlsApi;
  const { method: id } = IdentityApi;
  return [
    served(deps, mls.uploadKeyPackage, (request) => uploadKeyPackage(keyPackages, request)),
    served(deps, mls.fetchKeyPackages, (request) => fetchKeyPackages(keyPackages, request)),
    served(deps, mls.batchPublishCommitLog, (request) => batchPublishCommitLog(commitLogs, request)),
    served(deps, mls.batchQueryCommitLog, (request) => batchQueryCommitLog(commitLogs, request)),
    served(deps, id.publishIdentityUpdate, (request) => publishIdentityUpdate(identity, request)),
    served(deps, id.getIdentityUpdates, (request) => getIdentityUpdates(identity, request)),
    served(deps, id.getInboxIds, (request) => getInboxIds(identity, request)),
    served(deps, id.verifySmartContractWalletSignatures, (request) => verifyWalletSignatures(identity.chains, request)),
  ];
}

function served<I extends Schema, O extends Schema>(
  deps: ServiceDeps,
  method: UnaryMethod<I, O>,
  call: (request: MessageOf<I>) => Promise<MessageOf<O>>,
): UnaryService {
  const counted = countCalls(deps, method.name, call);
  return { unary: unaryRpc(method, counted), register: (router) => router.rpc(method, counted) };
}

/** The one whose response the unary lane writes straight from the stored rows. */
function queryGroupService(deps: ServiceDeps): UnaryService {
  const { queryGroupMessages: method } = MlsApi.method;
  const counted = countCalls(deps, method.name, (request: QueryGroupMessagesRequest) =>
    queryGroupMessages(deps.query, request),
  );
  return {
    unary: encodedRpc(method, async (request) => encodeQueryGroupMessagesResponse(await counted(request))),
    register: (router) => router.rpc(method, async (request) => queryGroupMessagesResponse(await counted(request))),
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
