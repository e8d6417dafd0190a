/** The RPCs of the model that read. */

import type {
  GetNewestGroupMessageRequest,
  GetNewestGroupMessageResponseSchema,
  PagingInfo,
  PagingInfoSchema,
  QueryGroupMessagesRequest,
  QueryGroupMessagesResponseSchema,
  QueryWelcomeMessagesRequest,
  QueryWelcomeMessagesResponseSchema,
} from "../../../src/wire/gen/mls/api/v1/mls_pb";
import type { InitOf } from "../../../src/wire/init";
import type { Broken } from "./faults";
import type { Delivered, MessageLog } from "./log";
import { topicFrom } from "./publishing";
import { invalid } from "./status";

const ASCENDING = 1;
const DESCENDING = 2;
const MAX_ROWS = 100;
const MAX_CURSOR = (1n << 63n) - 1n;

interface Page<Row> {
  readonly rows: readonly Row[];
  readonly pagingInfo: InitOf<typeof PagingInfoSchema>;
}

/** @throws CallError */
export function queryGroupMessages(
  log: MessageLog,
  broken: Broken,
  { groupId, pagingInfo }: QueryGroupMessagesRequest,
): InitOf<typeof QueryGroupMessagesResponseSchema> {
  const page = pageOf(log.above(topicFrom(0, groupId), 0n), broken, pagingInfo);
  const messages = page.rows.flatMap(({ delivered: one }) => (one.kind === 0 ? [one.group] : []));
  return { messages, pagingInfo: page.pagingInfo };
}

/** @throws CallError */
export function queryWelcomeMessages(
  log: MessageLog,
  broken: Broken,
  { installationKey, pagingInfo }: QueryWelcomeMessagesRequest,
): InitOf<typeof QueryWelcomeMessagesResponseSchema> {
  const page = pageOf(log.above(topicFrom(1, installationKey), 0n), broken, pagingInfo);
  const messages = page.rows.flatMap(({ delivered: one }) => (one.kind === 1 ? [one.welcome] : []));
  return { messages, pagingInfo: page.pagingInfo };
}

/** @throws CallError */
export function getNewestGroupMessage(
  log: MessageLog,
  broken: Broken,
  { groupIds, includeContent }: GetNewestGroupMessageRequest,
): InitOf<typeof GetNewestGroupMessageResponseSchema> {
  const responses = groupIds.map((groupId) => {
    const newest = log.above(topicFrom(0, groupId), 0n).at(-1)?.delivered;
    if (newest?.kind !== 0) return undefined;
    return { groupMessage: includeContent ? newest.group : withoutContent(newest) };
  });
  const found = responses.filter((response) => response !== undefined);
  return { responses: broken("newest-out-of-place") ? found : responses.map((response) => response ?? {}) };
}

function withoutContent({ group }: Extract<Delivered, { kind: 0 }>): typeof group {
  const { version } = group;
  if (version?.case !== "v1") return group;
  const value = { ...version.value, data: new Uint8Array(), senderHmac: new Uint8Array() };
  return { version: { case: "v1", value } };
}

/** A page of rows that ascend by id. @throws CallError */
export function pageOf<Row extends { readonly id: bigint }>(
  rows: readonly Row[],
  broken: Broken,
  paging: PagingInfo | undefined,
): Page<Row> {
  const { direction = 0, limit: asked = 0, idCursor = 0n } = paging ?? {};
  if (direction !== 0 && direction !== ASCENDING && direction !== DESCENDING) invalid(`direction ${direction}`);
  if (idCursor > MAX_CURSOR) invalid("a cursor is at most 2^63-1");
  const limit = asked === 0 || asked > MAX_ROWS ? MAX_ROWS : asked;
  const ascends = direction === ASCENDING || (direction === 0 && broken("pages-ascend-by-default"));
  const isBeyond = (id: bigint) => {
    if (idCursor === 0n || (id === idCursor && broken("page-cursor-inclusive"))) return true;
    return ascends ? id > idCursor : id < idCursor;
  };
  const ordered = (ascends ? rows : rows.toReversed()).filter(({ id }) => isBeyond(id));
  const page = ordered.slice(0, limit);
  const hasCursor = page.length === limit || broken("page-cursor-always");
  return {
    rows: page,
    pagingInfo: {
      direction: ascends ? ASCENDING : DESCENDING,
      limit,
      idCursor: hasCursor ? (page.at(-1)?.id ?? 0n) : 0n,
    },
  };
}
