import { isTopic, type Kind, type Topic } from "../core/topic";

/** Bytes as a string of one character each: how the core holds topics. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/**
 * The topic of a kind and an identifier.
 * @throws RangeError if the identifier is empty: callers check what a peer sent before they come here.
 */
export function topicOfBytes(kind: Kind, identifier: Uint8Array): Topic {
  const text = String.fromCharCode(kind) + latin1(identifier);
  if (!isTopic(text)) throw new RangeError("a topic needs an identifier of at least one byte; got none");
  return text;
}
