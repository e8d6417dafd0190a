/** What more than one RPC asks of its request. */

import { MAX_CURSOR } from "../../core/limits";
import type { PagingInfo } from "../../wire/gen/mls/api/v1/mls_pb";
import { MAX_IDENTIFIER_BYTES, type Page, pageOf } from "../../wire/unary";
import { invalidArgument, resourceExhausted } from "../errors";

/**
 * Bytes of what is stored in one answer: what beside them is in it stays below 64 KiB, and the network's clients
 * receive up to 25 MiB. A lower bound would cut pages that they can take, and they take any page of less than 100
 * messages for the last (docs/decisions/0010-bounded-answers.md).
 */
export const MAX_ANSWER_BYTES = 25 * 1024 * 1024 - 64 * 1024;

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

/**
 * @param wanted what was asked for, as in "requests: wanted updates"
 * @param asked in what, and what to do instead, as in "these 7 inboxes; name fewer"
 * @throws ConnectError if stored bodies have more bytes together than an answer may have
 */
export function checkAnswer(wanted: string, asked: string, found: readonly { readonly body: Uint8Array }[]): void {
  const bytes = found.reduce((sum, { body }) => sum + body.byteLength, 0);
  if (bytes <= MAX_ANSWER_BYTES) return;
  throw resourceExhausted(`${wanted} of at most ${MAX_ANSWER_BYTES} bytes together, found more in ${asked}`);
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
