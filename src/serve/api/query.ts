/** The RPCs of MlsApi that read. Each is a plain function, so that any way of speaking to the node can call it. */

import type { Message } from "../../core/message";
import { GROUP, type Kind, type Topic, WELCOME } from "../../core/topic";
import type { Feed } from "../../feed/types";
import type { Reader, StoredMessage } from "../../store/types";
import { topicOfBytes } from "../../wire/bytes";
import { encodeEntry } from "../../wire/entry";
import type {
  GetNewestGroupMessageRequest,
  GetNewestGroupMessageResponse,
  GroupMessage,
  QueryGroupMessagesRequest,
  QueryWelcomeMessagesRequest,
  QueryWelcomeMessagesResponse,
} from "../../wire/gen/mls/api/v1/mls_pb";
import {
  type Found,
  groupMessage,
  groupMessageWithoutContent,
  newestGroupMessageResponse,
  type Page,
  queryWelcomeMessagesResponse,
} from "../../wire/unary";
import { invalidArgument, resourceExhausted } from "../errors";
import { checkIdentifier, MAX_ANSWER_BYTES, pageAsked } from "./checks";

/** What reading takes. Both answer with all that was acked before, so a client reads its own writes whichever node took them. */
export interface QueryDeps {
  readonly feed: Pick<Feed, "recent">;
  readonly reader: Pick<Reader, "ofTopic" | "heads" | "byIds">;
}

/** Groups that one GetNewestGroupMessage may name. Clients ask for up to 1 000. */
const MAX_NEWEST_GROUPS = 10_000;

/** Newest messages that are looked up and read at once. */
const NEWEST_IDS = 1_000;
const NEWEST_READ_BYTES = 4 * 1024 * 1024;

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
  const heads = topics.length === 0 ? [] : await deps.reader.heads(topics);
  const found = await (includeContent ? wholeMessages(deps, heads) : messagesWithoutContent(deps, heads));
  return newestGroupMessageResponse(heads.map((id) => found.get(id)));
}

/** What is said of each message is so little that the number of groups bounds it. */
async function messagesWithoutContent(deps: QueryDeps, ids: readonly bigint[]): Promise<Map<bigint, GroupMessage>> {
  const found = new Map<bigint, GroupMessage>();
  for await (const row of rowsOf(deps, ids)) found.set(row.id, groupMessageWithoutContent(row));
  return found;
}

async function wholeMessages(deps: QueryDeps, ids: readonly bigint[]): Promise<Map<bigint, GroupMessage>> {
  const timesAsked = new Map<bigint, number>();
  for (const id of ids) timesAsked.set(id, (timesAsked.get(id) ?? 0) + 1);
  const found = new Map<bigint, GroupMessage>();
  let bytes = 0;
  for await (const row of rowsOf(deps, ids)) {
    bytes += row.body.byteLength * (timesAsked.get(row.id) ?? 1);
    if (bytes > MAX_ANSWER_BYTES && ids.length > 1) {
      throw resourceExhausted(
        `group_ids: wanted newest messages of at most ${MAX_ANSWER_BYTES} bytes together, found more in these ${ids.length} groups; name fewer, or ask without include_content`,
      );
    }
    found.set(row.id, groupMessage(row));
  }
  return found;
}

/** The group messages with these ids, as far as they are there, a few MiB at a time. 0 is no id. */
async function* rowsOf({ reader }: QueryDeps, ids: readonly bigint[]): AsyncGenerator<StoredMessage> {
  const asked = BigInt64Array.from(new Set(ids))
    .filter((id) => id > 0n)
    .sort();
  for (let from = 0; from < asked.length; ) {
    const some = asked.subarray(from, from + NEWEST_IDS);
    const rows = await reader.byIds(GROUP, some, NEWEST_READ_BYTES);
    yield* rows;
    // A message that was deleted meanwhile is not among the rows; those after the last one may just not have fitted.
    const last = rows.at(-1)?.id;
    from += last === undefined ? some.length : some.indexOf(last) + 1;
  }
}

async function pageOfTopic({ feed, reader }: QueryDeps, topic: Topic, page: Page): Promise<Found> {
  // The way in which clients ask for what is new.
  const recent = page.direction === "ascending" ? await feed.recent(topic, page.cursor ?? 0n) : undefined;
  if (recent !== undefined && fits(recent)) return { page, rows: recent.slice(0, page.limit), isCut: false };
  const size = { rows: page.limit, bytes: MAX_ANSWER_BYTES };
  const { messages, isCut } = await reader.ofTopic(topic, page.direction, page.cursor, size);
  return { page, rows: messages.map((message) => ({ id: message.id, entry: encodeEntry(message) })), isCut };
}

/** Whether messages have no more bytes than one answer may. */
function fits(messages: readonly Message[]): boolean {
  let bytes = 0;
  for (const { entry } of messages) bytes += entry.byteLength;
  return bytes <= MAX_ANSWER_BYTES;
}

function topicAsked(field: string, kind: Kind, identifier: Uint8Array): Topic {
  checkIdentifier(field, identifier);
  return topicOfBytes(kind, identifier);
}
