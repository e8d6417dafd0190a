/** The protobuf encoding of an RPC's messages, by their schema: for RPCs that need nothing more particular. */

import { type DescMessage, type DescMethodUnary, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { messageOf } from "../base/thrown";

/** What a message consists of. */
export type Schema = DescMessage;
/** A message of a schema. */
export type MessageOf<S extends Schema> = MessageShape<S>;
/** A method with one request and one response, of these schemas. */
export type UnaryMethod<I extends Schema, O extends Schema> = DescMethodUnary<I, O>;

export type Decoded<Message> =
  | { readonly kind: "message"; readonly message: Message }
  /** Bytes that no message could be read from, and why in words. */
  | { readonly kind: "unreadable"; readonly detail: string };

/** Reads a message. Its byte fields are views of the bytes. */
export function decodeMessage<S extends Schema>(schema: S, bytes: Uint8Array): Decoded<MessageOf<S>> {
  try {
    return { kind: "message", message: fromBinary(schema, bytes) };
  } catch (error) {
    const detail = `a request of ${bytes.length} bytes could not be read as ${schema.name}: ${messageOf(error)}`;
    return { kind: "unreadable", detail };
  }
}

/** Writes a message. */
export function encodeMessage<S extends Schema>(schema: S, message: MessageOf<S>): Uint8Array {
  return toBinary(schema, message);
}
