/** What more than one RPC of MlsApi asks of its request. */

import { MAX_CURSOR } from "../core/limits";
import type { PagingInfo } from "../wire/gen/mls/api/v1/mls_pb";
import { MAX_IDENTIFIER_BYTES, type Page, pageOf } from "../wire/unary";
import { invalidArgument } from "./errors";

/** @throws ConnectError if an identifier is empty or too long for a topic. */
export function checkIdentifier(field: string, identifier: Uint8Array): void {
  if (identifier.length > 0 && identifier.length <= MAX_IDENTIFIER_BYTES) return;
  throw invalidArgument(`${field}: wanted 1 to ${MAX_IDENTIFIER_BYTES} bytes, found ${identifier.length}`);
}

/** @throws ConnectError if a part that is needed is missing. */
export function checkPresent(field: string, bytes: Uint8Array): void {
  if (bytes.length === 0) throw invalidArgument(`${field}: wanted at least 1 byte, found none`);
}

/** @throws ConnectError if a request names more things than one may. `what`: what they are, as in "groups". */
export function checkCount(field: string, what: string, count: number, most: number): void {
  if (count <= most) return;
  throw invalidArgument(`${field}: wanted at most ${most} ${what}, found ${count}; ask in several requests`);
}

/** The page that is asked for. @throws ConnectError for a direction or a cursor that cannot be */
export function pageAsked(field: string, paging: PagingInfo | undefined): Page {
  const page = pageOf(paging);
  if (page === undefined) {
    throw invalidArgument(`${field}.direction: wanted 0, 1 (ascending) or 2 (descending), found ${paging?.direction}`);
  }
  if (page.cursor !== undefined && page.cursor > MAX_CURSOR) {
    throw invalidArgument(`${field}.id_cursor: wanted at most 2^63-1, found ${page.cursor}`);
  }
  return page;
}
