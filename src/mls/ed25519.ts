/**
 * Ed25519 as the clients verify it: without the cofactor. A verification with it would take signatures that every
 * client refuses, and whoever holds a key can make such ones on purpose.
 */

import { ed25519, ed25519ph } from "@noble/curves/ed25519.js";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

export interface Ed25519Question {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** Pure Ed25519 (RFC 8032). Never throws for what it is asked. */
export async function verifyEd25519({ publicKey, message, signature }: Ed25519Question): Promise<boolean> {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  const key = await crypto.subtle.importKey("raw", Uint8Array.from(publicKey), "Ed25519", false, ["verify"]);
  return await crypto.subtle.verify("Ed25519", key, Uint8Array.from(signature), Uint8Array.from(message));
}

/** Ed25519ph with a context (RFC 8032, section 5.1). Never throws for what it is asked. */
export function verifyEd25519ph({ publicKey, message, signature }: Ed25519Question, context: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  if (!isTorsionFree(publicKey) || !isTorsionFree(signature.subarray(0, KEY_BYTES))) return false;
  return ed25519ph.verify(signature, message, publicKey, { context, zip215: false });
}

/** Whether bytes are a point of the prime-order subgroup: among those, the cofactor makes no difference. */
function isTorsionFree(bytes: Uint8Array): boolean {
  try {
    return ed25519.Point.fromBytes(bytes, false).isTorsionFree();
  } catch {
    // The library's word for bytes that are no point.
    return false;
  }
}
