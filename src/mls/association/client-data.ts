/** The client data of WebAuthn, read so that every other JSON parser would read the same in it. */

export interface ClientData {
  /** Base64url. */
  readonly challenge: string;
  readonly origin: string;
}

const WANTED = ["challenge", "origin"] as const;
/** A string of JSON, and whether it is a key. */
const STRINGS = /("(?:[^"\\]|\\.)*")(\s*:)?/gs;

/**
 * The challenge and the origin; or in words what is wrong.
 *
 * A parser may take the first of two keys, the last, or neither, and clients written in Rust take neither. What they
 * would not read must not be stored, so a key that occurs twice is refused, as is text that is not valid Unicode.
 */
export function readClientData(bytes: Uint8Array): ClientData | string {
  const text = decodeUtf8(bytes);
  const root = text === undefined ? undefined : parseJson(text);
  if (text === undefined || typeof root !== "object" || root === null || Array.isArray(root)) {
    return "wanted a JSON object in UTF-8, found something else";
  }
  const keys = [...text.matchAll(STRINGS)]
    .filter(([, , colon]) => colon !== undefined)
    .map(([, key]) => parseJson(key));
  if (!keys.every((key) => typeof key === "string" && key.isWellFormed()))
    return "wanted keys in Unicode, found others";
  for (const name of WANTED) {
    if (keys.filter((key) => key === name).length !== 1)
      return `wanted the key ${name} once, at the top and nowhere else`;
  }
  const { challenge, origin } = Object.assign({ challenge: undefined, origin: undefined }, root);
  return isText(challenge) && isText(origin) ? { challenge, origin } : "wanted challenge and origin as texts";
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined; // not UTF-8
  }
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined; // not JSON
  }
}
