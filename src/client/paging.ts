/** Pages of a topic's messages. */

export interface PageQuery {
  /** Exclusive, in the direction of reading; `undefined`: from the end it begins at. */
  readonly cursor?: bigint;
  /** 1 to 100; default 100. */
  readonly limit?: number;
  readonly direction?: "ascending" | "descending";
}

export interface Page<M> {
  readonly messages: readonly M[];
  /** The cursor of the page that follows; `undefined`: this was the last. */
  readonly next: bigint | undefined;
}

/** Numbers of SortDirection. */
const DIRECTIONS = { ascending: 1, descending: 2 } as const;

/** What is asked of a node. */
export function toPagingInfo({ cursor = 0n, limit = 0, direction = "descending" }: PageQuery) {
  return { idCursor: cursor, limit, direction: DIRECTIONS[direction] };
}

/** What a node answered. */
export function toPage<M>(messages: readonly M[], paging: { readonly idCursor: bigint } | undefined): Page<M> {
  return { messages, next: paging === undefined || paging.idCursor === 0n ? undefined : paging.idCursor };
}

/** Messages of versions that this client does not know are left out. */
export function known<M>(messages: readonly (M | undefined)[]): readonly M[] {
  return messages.filter((message) => message !== undefined);
}
