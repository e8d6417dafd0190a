/** The messages of the unary RPCs, made of what the store keeps. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import { groupMessageOf, type Placed, welcomeMessageOf } from "./entry";
import {
  type GetNewestGroupMessageResponse,
  GetNewestGroupMessageResponseSchema,
  type GroupMessage,
  GroupMessage_V1Schema,
  GroupMessageSchema,
  type PagingInfo,
  PagingInfoSchema,
  type QueryGroupMessagesResponse,
  QueryGroupMessagesResponseSchema,
  type QueryWelcomeMessagesResponse,
  QueryWelcomeMessagesResponseSchema,
  SortDirection,
} from "./gen/mls/api/v1/mls_pb";

/** Bytes of a group id or an installation key at most: a topic is an index key of the database. */
export const MAX_IDENTIFIER_BYTES = 1_023;

/** Rows of a page at most, and where the asked number is 0 or above. */
export const MAX_PAGE_ROWS = 100;

/** What a query asks for, with the defaults of the protocol filled in. */
export interface Page {
  readonly direction: "ascending" | "descending";
  readonly limit: number;
  /** Exclusive, in the direction; `undefined` = from the end at which the direction starts. */
  readonly cursor: bigint | undefined;
}

/** A message that was found, as its entry (see entry.ts). */
export interface FoundRow {
  readonly id: bigint;
  readonly entry: Uint8Array;
}

/** What a query found. */
export interface Found {
  readonly page: Page;
  readonly rows: readonly FoundRow[];
  /** Whether rows that were asked for did not fit into an answer. */
  readonly isCut: boolean;
}

/** The answer of RPCs that have nothing to say. */
export function empty(): Empty {
  return create(EmptySchema);
}

/** Descending by default; a limit of 0 or above 100 means 100. `undefined` if the direction is none that we know. */
export function pageOf(paging: PagingInfo | undefined): Page | undefined {
  const direction = directionOf(paging?.direction ?? SortDirection.UNSPECIFIED);
  if (direction === undefined) return undefined;
  const { limit = 0, idCursor = 0n } = paging ?? {};
  return {
    direction,
    limit: limit === 0 || limit > MAX_PAGE_ROWS ? MAX_PAGE_ROWS : limit,
    cursor: idCursor === 0n ? undefined : idCursor,
  };
}

/** A page of group messages. */
export function queryGroupMessagesResponse(found: Found): QueryGroupMessagesResponse {
  return create(QueryGroupMessagesResponseSchema, {
    messages: found.rows.map(({ entry }) => groupMessageOf(entry)),
    pagingInfo: pagingInfo(found.page, found.rows, found.isCut),
  });
}

/**
 * The same, encoded: an entry of a group message is at once an element of this response's `messages`, which has the
 * same field number (1), so no message is made of any row.
 */
export function encodeQueryGroupMessagesResponse(found: Found): Uint8Array {
  const last = create(QueryGroupMessagesResponseSchema, {
    pagingInfo: pagingInfo(found.page, found.rows, found.isCut),
  });
  return Buffer.concat([...found.rows.map(({ entry }) => entry), toBinary(QueryGroupMessagesResponseSchema, last)]);
}

/** A page of welcomes. */
export function queryWelcomeMessagesResponse(found: Found): QueryWelcomeMessagesResponse {
  return create(QueryWelcomeMessagesResponseSchema, {
    messages: found.rows.map(({ entry }) => welcomeMessageOf(entry)),
    pagingInfo: pagingInfo(found.page, found.rows, found.isCut),
  });
}

/** One response per message, unset where there is none. */
export function newestGroupMessageResponse(
  messages: readonly (GroupMessage | undefined)[],
): GetNewestGroupMessageResponse {
  return create(GetNewestGroupMessageResponseSchema, {
    responses: messages.map((groupMessage) => (groupMessage === undefined ? {} : { groupMessage })),
  });
}

/** A stored group message. Its byte fields are views of the stored body. */
export function groupMessage(row: Placed): GroupMessage {
  const value = fromBinary(GroupMessage_V1Schema, row.body);
  value.id = row.id;
  value.createdNs = row.createdNs;
  return create(GroupMessageSchema, { version: { case: "v1", value } });
}

/** What the node knows of a stored group message. Nothing of it is a view of the stored body. */
export function groupMessageWithoutContent(row: Placed): GroupMessage {
  const { groupId, shouldPush, isCommit } = fromBinary(GroupMessage_V1Schema, row.body);
  const { id, createdNs } = row;
  const value = create(GroupMessage_V1Schema, { id, createdNs, groupId: groupId.slice(), shouldPush, isCommit });
  return create(GroupMessageSchema, { version: { case: "v1", value } });
}

/** The last id only if the page is full, by rows or because it was cut: a client that sees 0 asks no further. */
export function pagingInfo(page: Page, rows: readonly { readonly id: bigint }[], isCut = false): PagingInfo {
  const full = isCut || rows.length === page.limit;
  return create(PagingInfoSchema, {
    direction: page.direction === "ascending" ? SortDirection.ASCENDING : SortDirection.DESCENDING,
    limit: page.limit,
    idCursor: full ? (rows.at(-1)?.id ?? 0n) : 0n,
  });
}

function directionOf(direction: SortDirection): Page["direction"] | undefined {
  switch (direction) {
    case SortDirection.UNSPECIFIED:
    case SortDirection.DESCENDING:
      return "descending";
    case SortDirection.ASCENDING:
      return "ascending";
    default:
      direction satisfies never;
      return undefined;
  }
}
