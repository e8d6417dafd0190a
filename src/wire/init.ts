/** Messages from what one would write of them, and back: for whoever speaks to a server without a client library. */

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

/** What one has to write of a message. */
export type InitOf<S extends DescMessage> = MessageInitShape<S>;

/** The encoded message. */
export function encodeInit<S extends DescMessage>(schema: S, init: InitOf<S>): Uint8Array {
  return toBinary(schema, create(schema, init));
}

/** The message that bytes hold. @throws Error if they hold none. */
export function decodeBytes<S extends DescMessage>(schema: S, bytes: Uint8Array): MessageShape<S> {
  return fromBinary(schema, bytes);
}
