/**
 * Key packages (RFC 9420, section 10): what others need to add an installation to a group. One that does not hold
 * makes its owner impossible to add, so everything is checked that a client checks before it uses one.
 */

import { extensionsSupportedByCapabilities } from "ts-mls/extension.js";
import { decodeKeyPackage, encodeKeyPackage, type KeyPackage, verifyKeyPackage } from "ts-mls/keyPackage.js";
import { verifyLeafNodeSignatureKeyPackage } from "ts-mls/leafNode.js";
import { verifyEd25519 } from "./ed25519";
import { lastBytes, readFields } from "./protobuf-fields";

/** The only one that XMTP uses. */
const KEY_PACKAGE_CIPHERSUITE = "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519";

/**
 * How far ahead of our clock a lifetime may begin, in milliseconds: the uploader's clock and ours differ. There is
 * no such allowance at its end, since whoever fetches an expired package can do nothing with it.
 */
export const LIFETIME_SKEW_MS = 300_000;

/** Of X25519 and of Ed25519. */
const KEY_BYTES = 32;

const MLS_CREDENTIAL_INBOX_ID = 1;
const INBOX_ID = /^[0-9a-f]{64}$/;

export interface ValidKeyPackage {
  readonly kind: "valid";
  /** The leaf's signature key, 32 bytes: whose package it is. */
  readonly installationKey: Uint8Array;
  /** What its credential says; that the installation belongs to this inbox is not known here. 64 hex digits. */
  readonly inboxId: string;
  /** In seconds since 1970, both included. */
  readonly notBefore: bigint;
  readonly notAfter: bigint;
}

/** Every rule a key package can break. */
export type KeyPackageRule =
  | "malformed"
  | "ciphersuite"
  | "keys"
  | "credential"
  | "extensions"
  | "leafSignature"
  | "signature"
  | "lifetime";

export interface InvalidKeyPackage {
  readonly kind: "invalid";
  readonly rule: KeyPackageRule;
  /** What was wanted and what came, for whoever uploaded it. */
  readonly message: string;
}

export type CheckedKeyPackage = ValidKeyPackage | InvalidKeyPackage;

/** Checks a bare KeyPackage, to its last byte. Never throws for what is in it. */
export async function checkKeyPackage(data: Uint8Array, nowMs: number): Promise<CheckedKeyPackage> {
  const decoded = decode(data);
  if (typeof decoded === "string") return invalid("malformed", decoded);
  const inboxId = inboxIdOfCredential(decoded);
  const fault = faultInContent(decoded) ?? faultInLifetime(decoded, nowMs);
  if (fault !== undefined) return fault;
  if (inboxId === undefined) {
    const wanted = "a basic credential whose identity is an MlsCredential with the inbox id, 64 hex digits, in field 1";
    return invalid("credential", `wanted ${wanted}`);
  }
  if (!(await verifyLeafNodeSignatureKeyPackage(decoded.leafNode, VERIFIER))) {
    return invalid("leafSignature", "the leaf node's signature was not made over this leaf node by its signature key");
  }
  if (!(await verifyKeyPackage(decoded, VERIFIER))) {
    return invalid("signature", "the key package's signature was not made over this package by its leaf's key");
  }
  const { signaturePublicKey: installationKey, lifetime } = decoded.leafNode;
  return { kind: "valid", installationKey, inboxId, notBefore: lifetime.notBefore, notAfter: lifetime.notAfter };
}

/** The package, or in words why these bytes are none. */
function decode(data: Uint8Array): KeyPackage | string {
  const wanted = "wanted an MLS KeyPackage, bare and nothing else (RFC 9420, section 10)";
  const decoded = decodeStart(data);
  if (decoded === undefined) return `${wanted}; these ${data.length} bytes are not the structure, or are cut off`;
  const [keyPackage, length] = decoded;
  if (length < data.length) return `${wanted}; found ${data.length - length} bytes after its end at byte ${length}`;
  // The decoder takes lengths that are longer than they need be, which clients don't.
  if (!Buffer.from(encodeKeyPackage(keyPackage)).equals(data))
    return `${wanted}; its lengths are not in their only form`;
  return keyPackage;
}

function decodeStart(data: Uint8Array): readonly [KeyPackage, number] | undefined {
  try {
    return decodeKeyPackage(data, 0);
  } catch {
    // Some of the library's decoders throw where others return undefined; it has no state that could be at fault.
    return undefined;
  }
}

function faultInContent({ cipherSuite, initKey, leafNode, extensions }: KeyPackage): InvalidKeyPackage | undefined {
  if (cipherSuite !== KEY_PACKAGE_CIPHERSUITE) {
    return invalid("ciphersuite", `wanted the ciphersuite ${KEY_PACKAGE_CIPHERSUITE}, found ${cipherSuite}`);
  }
  const { signaturePublicKey, hpkePublicKey, capabilities } = leafNode;
  const keys = { initKey, hpkePublicKey, signaturePublicKey };
  for (const [name, key] of Object.entries(keys)) {
    if (key.length !== KEY_BYTES) return invalid("keys", `wanted ${name} of ${KEY_BYTES} bytes, found ${key.length}`);
  }
  if (Buffer.from(initKey).equals(hpkePublicKey)) {
    return invalid("keys", "wanted an init key that is not the leaf's encryption key, found them the same");
  }
  if (!extensionsSupportedByCapabilities(leafNode.extensions, capabilities)) {
    return invalid("extensions", "wanted the leaf's extensions among those its capabilities list, found others");
  }
  for (const list of [extensions, leafNode.extensions]) {
    const types = list.map(({ extensionType }) => extensionType);
    if (new Set(types).size < types.length)
      return invalid("extensions", "wanted every extension once, found one twice");
  }
  return undefined;
}

function faultInLifetime({ leafNode: { lifetime } }: KeyPackage, nowMs: number): InvalidKeyPackage | undefined {
  const { notBefore, notAfter } = lifetime;
  const now = BigInt(Math.floor(nowMs / 1_000));
  const latestStart = now + BigInt(LIFETIME_SKEW_MS / 1_000);
  if (notBefore <= latestStart && now <= notAfter) return undefined;
  const wanted = `a lifetime that has begun by ${latestStart} and lasts until ${now} or later (seconds since 1970)`;
  return invalid("lifetime", `wanted ${wanted}, found ${notBefore} to ${notAfter}; upload a fresh one`);
}

function inboxIdOfCredential({ leafNode: { credential } }: KeyPackage): string | undefined {
  if (credential.credentialType !== "basic") return undefined;
  const inboxId = lastBytes(readFields(credential.identity) ?? [], MLS_CREDENTIAL_INBOX_ID);
  const text = inboxId === undefined ? "" : Buffer.from(inboxId).toString("latin1");
  return INBOX_ID.test(text) ? text : undefined;
}

function invalid(rule: KeyPackageRule, words: string): InvalidKeyPackage {
  return { kind: "invalid", rule, message: `key package refused (${rule}): ${words}` };
}

/** What ts-mls asks of a signature scheme. This node signs nothing. */
const VERIFIER = {
  verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
    verifyEd25519({ publicKey, message, signature }),
  sign: () => Promise.reject(new Error("this node holds no key to sign with")),
  keygen: () => Promise.reject(new Error("this node makes no keys")),
};
