/** Signatures by Ethereum keys. The only file, beside the chains', that loads viem: import it when it is needed. */

import { bytesToHex, hashMessage, publicKeyToAddress, recoverMessageAddress } from "viem/utils";
import { lastBytes, readFields } from "../protobuf-fields";
import type { Outcome } from "./outcome";
import { type Fault, fault } from "./refusal";
import type { Signature, SignedPublicKey } from "./types";

const SIGNATURE_BYTES = 65;
/** Recovery ids, as they are and as Ethereum has them. */
const RECOVERY_IDS: readonly number[] = [0, 1, 27, 28];
const SECP256K1_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Numbers in `xmtp.message_contents.UnsignedPublicKey`. */
const SECP256K1_UNCOMPRESSED = 3;
const SECP256K1_BYTES = 1;
/** 0x04, x, y. */
const UNCOMPRESSED_BYTES = 65;

/** The digest of EIP-191 that a contract wallet is asked about. */
export function hashText(text: string): Uint8Array {
  return hashMessage(text, "bytes");
}

export async function verifyErc191(text: string, { bytes }: Extract<Signature, { kind: "erc191" }>): Promise<Outcome> {
  const address = await recover(text, bytes);
  if (typeof address !== "string") return address;
  return { kind: "signed", signer: { kind: "ethereum", address }, remembered: [bytes, rAndS(bytes)] };
}

/** By a key of the protocol's first version: the signer is the wallet that had signed for the key. */
export async function verifyLegacyDelegated(
  text: string,
  { bytes, delegatedKey }: Extract<Signature, { kind: "legacyDelegated" }>,
): Promise<Outcome> {
  const keyAddress = addressOfKey(delegatedKey);
  if (typeof keyAddress !== "string") return keyAddress;
  const signer = await recover(text, bytes);
  if (typeof signer !== "string") return signer;
  if (signer !== keyAddress) {
    const words = `wanted the delegated key's signature over the update's text, of ${keyAddress}, found one of ${signer}`;
    return fault("badSignature", words);
  }
  const { signature, keyBytes } = delegatedKey;
  const walletBytes = Uint8Array.of(...signature.bytes, signature.recovery);
  const wallet = await recover(legacyKeyText(keyBytes), walletBytes);
  if (typeof wallet !== "string") return { ...wallet, words: `delegated_key: ${wallet.words}` };
  // The wallet's, not the key's: a legacy key counts once in the life of an inbox.
  return {
    kind: "signed",
    signer: { kind: "ethereum", address: wallet },
    remembered: [walletBytes, rAndS(walletBytes)],
  };
}

/** What wallets were given to sign for a key of the protocol's first version. */
function legacyKeyText(keyBytes: Uint8Array): string {
  const hex = Buffer.from(keyBytes).toString("hex");
  return `XMTP : Create Identity\n${hex}\n\nFor more info: https://xmtp.org/signatures/`;
}

function addressOfKey({ keyBytes }: SignedPublicKey): string | Fault {
  const union = lastBytes(readFields(keyBytes) ?? [], SECP256K1_UNCOMPRESSED);
  const key = lastBytes(readFields(union ?? new Uint8Array()) ?? [], SECP256K1_BYTES);
  if (key?.length !== UNCOMPRESSED_BYTES || key[0] !== 4) {
    const words = "wanted an UnsignedPublicKey with an uncompressed secp256k1 key of 65 bytes, found something else";
    return fault("malformedSignature", `delegated_key.key_bytes: ${words}`);
  }
  return publicKeyToAddress(bytesToHex(key)).toLowerCase();
}

/** The address, in lower case, whose key signed the text. */
async function recover(text: string, signature: Uint8Array): Promise<string | Fault> {
  const recoveryId = signature[SIGNATURE_BYTES - 1] ?? -1;
  if (signature.length !== SIGNATURE_BYTES || !RECOVERY_IDS.includes(recoveryId)) {
    const found = `${signature.length} bytes${signature.length === SIGNATURE_BYTES ? ` that end in ${recoveryId}` : ""}`;
    return fault("malformedSignature", `wanted r, s and a recovery id of 0, 1, 27 or 28, 65 bytes, found ${found}`);
  }
  // Clients make s low and keep the recovery id, which then recovers somebody else: so nobody's signature is high.
  if (BigInt(bytesToHex(signature.subarray(32, 64))) > SECP256K1_ORDER / 2n) {
    return fault(
      "malformedSignature",
      "wanted the lower one of the two values that s can have (EIP-2), found the higher",
    );
  }
  try {
    return (await recoverMessageAddress({ message: text, signature })).toLowerCase();
  } catch {
    // The library's word for r or s out of range, or for an r that is no point.
    return fault("badSignature", "wanted a signature from which a key can be recovered, found none");
  }
}

function rAndS(signature: Uint8Array): Uint8Array {
  return signature.subarray(0, SIGNATURE_BYTES - 1);
}
