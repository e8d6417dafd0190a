/** How identifiers and topics are written on the command line, and shown. */

import type { ValueKind } from "../base/args-values";
import { GROUP, type Kind, kindOf, type Topic, topicBytes, topicOf, WELCOME } from "../core/topic";

/** A topic is a key of the node's database: longer identifiers are refused. */
const MAX_BYTES = 1_023;

/** An identifier: `0x…` is hex, anything else is text. */
export const identifier: ValueKind<Uint8Array> = {
  wanted: "text as demo, or hex as 0x64656d6f (long bare hex is refused, because it might be meant as either)",
  unit: "ID",
  parse: (text) => {
    const value = bytesOf(text);
    return value === undefined ? undefined : { value };
  },
  show: showIdentifier,
};

export const TOPIC_FORMS = "group:ID, welcome:ID or the whole topic as 0x00… or 0x01…; an ID is text, or hex as 0x…";

/** The topic that a word stands for; `undefined` if for none. */
export function parseTopic(word: string): Topic | undefined {
  if (word.startsWith("group:")) return topicFrom(GROUP, bytesOf(word.slice("group:".length)));
  if (word.startsWith("welcome:")) return topicFrom(WELCOME, bytesOf(word.slice("welcome:".length)));
  if (!word.startsWith("0x")) return undefined;
  const bytes = bytesOf(word);
  const kind = bytes?.[0];
  return kind === GROUP || kind === WELCOME ? topicFrom(kind, bytes?.subarray(1)) : undefined;
}

/** A topic as {@link parseTopic} reads it. */
export function showTopic(topic: Topic): string {
  return `${kindOf(topic) === GROUP ? "group" : "welcome"}:${showIdentifier(topicBytes(topic).subarray(1))}`;
}

/** Text if it can be written as such, else hex. */
export function showIdentifier(bytes: Uint8Array): string {
  const text = asText(bytes);
  const readsBack = text !== undefined && !/\s/.test(text) && bytesOf(text)?.length === bytes.length;
  return readsBack && !text.startsWith("0x") ? text : `0x${Buffer.from(bytes).toString("hex")}`;
}

/** The text that these bytes are, if they are printable UTF-8. */
export function asText(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return /[\p{Cc}\p{Cn}\p{Co}]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The bytes behind `0x`; `undefined` if they are no hex. */
export function fromHex(text: string): Uint8Array | undefined {
  return /^0x(?:[0-9A-Fa-f]{2})*$/.test(text) ? Buffer.from(text.slice(2), "hex") : undefined;
}

function bytesOf(text: string): Uint8Array | undefined {
  if (/^[0-9A-Fa-f]{16,}$/.test(text)) return undefined;
  const bytes = text.startsWith("0x") ? fromHex(text) : Buffer.from(text);
  return bytes === undefined || bytes.length === 0 || bytes.length > MAX_BYTES ? undefined : bytes;
}

function topicFrom(kind: Kind, id: Uint8Array | undefined): Topic | undefined {
  return id === undefined || id.length === 0 ? undefined : topicOf(kind, id);
}
