/** What more than one RPC of MlsApi asks of its request. */

import { MAX_IDENTIFIER_BYTES } from "../wire/unary";
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
