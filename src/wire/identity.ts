/** The messages of identities, key packages and commit logs, made of what the store keeps. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type GetIdentityUpdatesResponse,
  GetIdentityUpdatesResponseSchema,
  type GetInboxIdsRequest_Request,
  type GetInboxIdsResponse,
  GetInboxIdsResponseSchema,
  type PublishIdentityUpdateResponse,
  PublishIdentityUpdateResponseSchema,
  type VerifySmartContractWalletSignaturesResponse,
  VerifySmartContractWalletSignaturesResponseSchema,
} from "./gen/identity/api/v1/identity_pb";
import { type IdentityUpdate, IdentityUpdateSchema } from "./gen/identity/associations/association_pb";
import {
  type BatchQueryCommitLogResponse,
  BatchQueryCommitLogResponseSchema,
  type FetchKeyPackagesResponse,
  FetchKeyPackagesResponseSchema,
  type PublishCommitLogRequest,
  type QueryCommitLogResponse,
  QueryCommitLogResponseSchema,
} from "./gen/mls/api/v1/mls_pb";
import { type CommitLogEntry, CommitLogEntrySchema } from "./gen/mls/message_contents/commit_log_pb";
import { type Page, pagingInfo } from "./unary";

/** An identity update with its place in the log. */
export interface LoggedUpdate {
  readonly id: bigint;
  /** Nanoseconds since 1970. */
  readonly createdNs: bigint;
  readonly body: Uint8Array;
}

/** A commit log entry with its place in the log. */
export interface LoggedEntry {
  readonly id: bigint;
  readonly body: Uint8Array;
}

/**
 * The update as it is stored: only of fields that this node knows, because nobody has looked at what else there was,
 * and a client that knows more fields would believe them.
 */
export function encodeIdentityUpdate(update: IdentityUpdate): Uint8Array {
  return toBinary(IdentityUpdateSchema, update, { writeUnknownFields: false });
}

/** A stored update. @throws Error for what no version of this program stores */
export function decodeIdentityUpdate(body: Uint8Array): IdentityUpdate {
  return fromBinary(IdentityUpdateSchema, body);
}

export function publishIdentityUpdateResponse(): PublishIdentityUpdateResponse {
  return create(PublishIdentityUpdateResponseSchema);
}

/** One response per inbox that was asked for. */
export function identityUpdatesResponse(
  inboxIds: readonly string[],
  found: readonly (readonly LoggedUpdate[])[],
): GetIdentityUpdatesResponse {
  return create(GetIdentityUpdatesResponseSchema, {
    responses: inboxIds.map((inboxId, nth) => ({ inboxId, updates: (found[nth] ?? []).map(loggedUpdate) })),
  });
}

function loggedUpdate({ id, createdNs, body }: LoggedUpdate) {
  return { sequenceId: id, serverTimestampNs: createdNs, update: decodeIdentityUpdate(body) };
}

/** One response per identifier that was asked for, which it repeats as it was written. */
export function inboxIdsResponse(
  requests: readonly GetInboxIdsRequest_Request[],
  found: readonly (string | undefined)[],
): GetInboxIdsResponse {
  return create(GetInboxIdsResponseSchema, {
    responses: requests.map(({ identifier, identifierKind }, nth) => {
      const inboxId = found[nth];
      return { identifier, identifierKind, ...(inboxId !== undefined && { inboxId }) };
    }),
  });
}

/** What a contract wallet says of a signature. */
export interface WalletVerdict {
  readonly isValid: boolean;
  /** At which block it was asked, or would have been. */
  readonly blockNumber: bigint;
  /** Why it could not be asked. */
  readonly error: string | undefined;
}

export function walletVerdictsResponse(
  verdicts: readonly WalletVerdict[],
): VerifySmartContractWalletSignaturesResponse {
  return create(VerifySmartContractWalletSignaturesResponseSchema, {
    responses: verdicts.map(({ isValid, blockNumber, error }) => {
      return { isValid, blockNumber, ...(error !== undefined && { error }) };
    }),
  });
}

/** One entry per installation that was asked for, empty where there is none. */
export function keyPackagesResponse(found: readonly (Uint8Array | undefined)[]): FetchKeyPackagesResponse {
  return create(FetchKeyPackagesResponseSchema, {
    keyPackages: found.map((body) => (body === undefined ? {} : { keyPackageTlsSerialized: Uint8Array.from(body) })),
  });
}

/** An entry as it is stored. */
export function encodeCommitLogEntry({ serializedCommitLogEntry, signature }: PublishCommitLogRequest): Uint8Array {
  const entry = create(CommitLogEntrySchema, {
    serializedCommitLogEntry,
    ...(signature !== undefined && { signature }),
  });
  return toBinary(CommitLogEntrySchema, entry);
}

/** A page of a group's commit log. */
export function commitLogPage(groupId: Uint8Array, page: Page, rows: readonly LoggedEntry[]): QueryCommitLogResponse {
  return create(QueryCommitLogResponseSchema, {
    groupId: Uint8Array.from(groupId),
    commitLogEntries: rows.map(commitLogEntry),
    pagingInfo: pagingInfo(page, rows),
  });
}

export function commitLogsResponse(responses: QueryCommitLogResponse[]): BatchQueryCommitLogResponse {
  return create(BatchQueryCommitLogResponseSchema, { responses });
}

function commitLogEntry({ id, body }: LoggedEntry): CommitLogEntry {
  const entry = fromBinary(CommitLogEntrySchema, body);
  entry.sequenceId = id;
  return entry;
}
