/** The RPCs of MlsApi for commit logs: what members say of the commits of their groups, for one another. */

import type { CommitLogs, NewCommitLogEntry } from "../../store/identity-types";
import type {
  BatchPublishCommitLogRequest,
  BatchQueryCommitLogRequest,
  BatchQueryCommitLogResponse,
  PublishCommitLogRequest,
} from "../../wire/gen/mls/api/v1/mls_pb";
import { commitLogPage, commitLogsResponse, encodeCommitLogEntry } from "../../wire/identity";
import { empty } from "../../wire/unary";
import { invalidArgument } from "../errors";
import { checkCount, checkIdentifier, checkPresent, pageAsked } from "./checks";

/** What commit logs take. */
export interface CommitLogDeps {
  readonly logs: CommitLogs;
}

/** Entries that one BatchPublishCommitLog may hold. */
export const MAX_PUBLISHED_ENTRIES = 10;
/** Groups that one BatchQueryCommitLog may name. */
export const MAX_QUERIED_LOGS = 20;
/** Bytes of an entry with its signature: whole pages of all logs that one may ask for fit into an answer. Those of SDKs have about 300. */
const MAX_ENTRY_BYTES = 8_192;

/** Appends entries to the logs of groups, all or none. Nobody judges what they say. @throws ConnectError, StoreError */
export async function batchPublishCommitLog({ logs }: CommitLogDeps, { requests }: BatchPublishCommitLogRequest) {
  checkCount("requests", "entries", requests.length, MAX_PUBLISHED_ENTRIES);
  const entries = requests.map((request, nth) => newEntry(`requests[${nth}]`, request));
  await logs.append(entries);
  return empty();
}

/** A page of each log, in the order asked. @throws ConnectError, StoreError */
export async function batchQueryCommitLog(
  { logs }: CommitLogDeps,
  { requests }: BatchQueryCommitLogRequest,
): Promise<BatchQueryCommitLogResponse> {
  checkCount("requests", "groups", requests.length, MAX_QUERIED_LOGS);
  const asked = requests.map(({ groupId, pagingInfo }, nth) => {
    checkIdentifier(`requests[${nth}].group_id`, groupId);
    return { groupId, page: pageAsked(`requests[${nth}].paging_info`, pagingInfo) };
  });
  const pages = asked.map(async ({ groupId, page }) => {
    return commitLogPage(groupId, page, await logs.ofGroup(groupId, page.direction, page.cursor, page.limit));
  });
  return commitLogsResponse(await Promise.all(pages));
}

function newEntry(at: string, request: PublishCommitLogRequest): NewCommitLogEntry {
  const { groupId, serializedCommitLogEntry } = request;
  checkIdentifier(`${at}.group_id`, groupId);
  checkPresent(`${at}.serialized_commit_log_entry`, serializedCommitLogEntry);
  const body = encodeCommitLogEntry(request);
  if (body.length > MAX_ENTRY_BYTES) {
    throw invalidArgument(`${at}: wanted at most ${MAX_ENTRY_BYTES} bytes with its signature, found ${body.length}`);
  }
  return { groupId, body };
}
