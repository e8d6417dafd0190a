/** What a real SDK sent (README.md says how it was recorded). */

import recorded from "./node-sdk.json";

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

export const RECORDED_KEY_PACKAGE = bytesOf(recorded.keyPackage);

/** A moment at which the recorded key package was fresh, in milliseconds. */
export const RECORDED_AT_MS = Date.UTC(2026, 10, 26, 13, 8, 8);

/** In the order in which they were published: encoded, and the text that the owner's signer was given. */
export const RECORDED_UPDATES = recorded.identityUpdates.map(({ text, update }) => ({ text, update: bytesOf(update) }));
