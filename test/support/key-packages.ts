/** Key packages that are signed as they ought to be, whatever else is wrong with them. */

import { ed25519 } from "@noble/curves/ed25519.js";
import { encodeKeyPackage, type KeyPackageTBS, signKeyPackage } from "ts-mls/keyPackage.js";
import { type LeafNodeTBSKeyPackage, signLeafNodeKeyPackage } from "ts-mls/leafNode.js";

export interface InstallationKeys {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

export function makeInstallationKeys(): InstallationKeys {
  return ed25519.keygen();
}

/** What is to be different from a package that is fine. */
export interface KeyPackageChanges {
  readonly identity?: Uint8Array;
  readonly leaf?: Partial<LeafNodeTBSKeyPackage>;
  readonly tbs?: Partial<Omit<KeyPackageTBS, "leafNode">>;
  /** Done after the leaf was signed, and before the package is. */
  readonly leafSignature?: Uint8Array;
}

const INBOX_ID_FIELD = 10; // number 1, length-delimited

/** `xmtp.identity.MlsCredential` of an inbox. */
export function credentialOf(inboxId: string): Uint8Array {
  return Uint8Array.of(INBOX_ID_FIELD, inboxId.length, ...Buffer.from(inboxId));
}

/** An encoded package; `lifetime` from the epoch to the year 2262 unless `changes` say otherwise. */
export async function makeKeyPackage(keys: InstallationKeys, changes: KeyPackageChanges): Promise<Uint8Array> {
  const signature = {
    sign: async (key: Uint8Array, message: Uint8Array) => ed25519.sign(message, key),
    verify: () => Promise.reject(new Error("nothing is verified here")),
    keygen: () => Promise.reject(new Error("the keys are given")),
  };
  const leaf: LeafNodeTBSKeyPackage = {
    leafNodeSource: "key_package",
    hpkePublicKey: new Uint8Array(32).fill(1),
    signaturePublicKey: keys.publicKey,
    credential: { credentialType: "basic", identity: changes.identity ?? credentialOf("0".repeat(64)) },
    capabilities: {
      versions: ["mls10"],
      ciphersuites: ["MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519"],
      extensions: [],
      proposals: [],
      credentials: ["basic"],
    },
    lifetime: { notBefore: 0n, notAfter: 9_223_372_036n },
    extensions: [],
    ...changes.leaf,
  };
  const signed = await signLeafNodeKeyPackage(leaf, keys.secretKey, signature);
  const tbs: KeyPackageTBS = {
    version: "mls10",
    cipherSuite: "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
    initKey: new Uint8Array(32).fill(2),
    extensions: [],
    ...changes.tbs,
    leafNode: { ...signed, signature: changes.leafSignature ?? signed.signature },
  };
  return encodeKeyPackage(await signKeyPackage(tbs, keys.secretKey, signature));
}
