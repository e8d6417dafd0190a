/**
 * Topics: one kind byte followed by the raw identifier.
 *
 * A topic is held as a string with one character per byte (latin1), because strings are what maps
 * compare and hash fastest. Only this file and `wire/` turn bytes into topics.
 */

/** What a topic carries. Each kind has an id sequence of its own; to the core they are two originators. */
export type Kind = 0 | 1;

/** Group messages; the identifier is the MLS group id. */
export const GROUP = 0 satisfies Kind;
/** Welcomes; the identifier is the installation's public key, 32 bytes in practice. */
export const WELCOME = 1 satisfies Kind;

/** Every kind there is, in the order of its kind byte. */
export const KINDS: readonly Kind[] = [GROUP, WELCOME];

/** One value per kind, indexed by the kind itself. */
export type PerKind<T> = readonly [T, T];

/** The values with that of one kind replaced. */
export function withKind<T>(values: PerKind<T>, kind: Kind, value: T): PerKind<T> {
  return kind === GROUP ? [value, values[1]] : [values[0], value];
}

/** What the kinds are called in metrics and logs. */
export const KIND_NAMES: PerKind<string> = ["group", "welcome"];

declare const topicBrand: unique symbol;
/** A valid topic: a known kind byte and at least one byte of identifier, one character per byte. */
export type Topic = string & { readonly [topicBrand]: true };

/** Whether `text` (one character per byte) is a topic of a known kind with a non-empty identifier. */
export function isTopic(text: string): text is Topic {
  return text.length > 1 && text.charCodeAt(0) <= WELCOME;
}

/** The kind of a topic. */
export function kindOf(topic: Topic): Kind {
  return topic.charCodeAt(0) === GROUP ? GROUP : WELCOME;
}

/**
 * The topic of a kind and an identifier.
 * @throws RangeError if the identifier is empty: callers check what a peer sent before they come here.
 */
export function topicOf(kind: Kind, identifier: Uint8Array): Topic {
  const text = latin1(kind, identifier);
  if (!isTopic(text)) throw new RangeError("a topic needs an identifier of at least one byte; got none");
  return text;
}

/** The bytes of a topic as they stand on the wire: kind byte, then identifier. */
export function topicBytes(topic: string): Uint8Array {
  const bytes = new Uint8Array(topic.length);
  for (let i = 0; i < topic.length; i++) bytes[i] = topic.charCodeAt(i);
  return bytes;
}

function latin1(kind: Kind, identifier: Uint8Array): string {
  let text = String.fromCharCode(kind);
  for (const byte of identifier) text += String.fromCharCode(byte);
  return text;
}
