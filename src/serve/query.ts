/** The RPCs of MlsApi that read. Each is a plain function, so that any way of speaking to the node can call it. */

import { GROUP, type Kind, type Topic, WELCOME } from "../core/topic";
import type { Reader } from "../store/types";
import { topicOfBytes } from "../wire/bytes";
import type {
  GetNewestGroupMessageRequest,
  GetNewestGroupMessageResponse,
  QueryGroupMessagesRequest,
  QueryWelcomeMessagesRequest,
  QueryWelcomeMessagesResponse,
} from "../wire/gen/mls/api/v1/mls_pb";
import { type Found, newestGroupMessageResponse, type Page, queryWelcomeMessagesResponse } from "../wire/unary";
import { invalidArgument } from "./errors";
import { checkIdentifier, pageAsked } from "./mls-api-checks";

/** What reading takes. The reader asks the database, so a client reads its own writes whichever node took them. */
export interface QueryDeps {
  readonly reader: Pick<Reader, "ofTopic" | "newest">;
}

/** Groups that one GetNewestGroupMessage may name. Clients ask for up to 1 000. */
export const MAX_NEWEST_GROUPS = 10_000;

/** One page of a group's messages, to be put into words by whoever asked. @throws ConnectError, StoreError */
export async function queryGroupMessages(deps: QueryDeps, request: QueryGroupMessagesRequest): Promise<Found> {
  const page = pageAsked("paging_info", request.pagingInfo);
  const topic = topicAsked("group_id", GROUP, request.groupId);
  return await pageOfTopic(deps, topic, page);
}

/** One page of an installation's welcomes. @throws ConnectError, StoreError */
export async function queryWelcomeMessages(
  deps: QueryDeps,
  request: QueryWelcomeMessagesRequest,
): Promise<QueryWelcomeMessagesResponse> {
  const page = pageAsked("paging_info", request.pagingInfo);
  const topic = topicAsked("installation_key", WELCOME, request.installationKey);
  return queryWelcomeMessagesResponse(await pageOfTopic(deps, topic, page));
}

/** The newest message of each group, in the order asked, unset where there is none. @throws ConnectError, StoreError */
export async function getNewestGroupMessage(
  deps: QueryDeps,
  request: GetNewestGroupMessageRequest,
): Promise<GetNewestGroupMessageResponse> {
  const { groupIds, includeContent } = request;
  if (groupIds.length > MAX_NEWEST_GROUPS) {
    throw invalidArgument(`group_ids: wanted at most ${MAX_NEWEST_GROUPS} groups, found ${groupIds.length}`);
  }
  const topics = groupIds.map((groupId, index) => topicAsked(`group_ids[${index}]`, GROUP, groupId));
  const rows = topics.length === 0 ? [] : await deps.reader.newest(topics);
  return newestGroupMessageResponse(rows, includeContent);
}

async function pageOfTopic({ reader }: QueryDeps, topic: Topic, page: Page): Promise<Found> {
  return { page, rows: await reader.ofTopic(topic, page.direction, page.cursor, page.limit) };
}

function topicAsked(field: string, kind: Kind, identifier: Uint8Array): Topic {
  checkIdentifier(field, identifier);
  return topicOfBytes(kind, identifier);
}
