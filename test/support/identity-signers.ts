/** Whoever can sign an identity update, with keys of their own: what SDKs, wallets and authenticators do. */

import { createHash } from "node:crypto";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { hexToBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { signatureText } from "../../src/mls/association/text";
import type {
  ActionWith,
  Identifier,
  IdentityUpdate,
  MemberIdentifier,
  Signature,
  SignedPublicKey,
  UpdateWith,
} from "../../src/mls/association/types";
import type { InstallationKeys } from "./key-packages";

export interface Signer<I extends MemberIdentifier = MemberIdentifier> {
  readonly identifier: I;
  sign(text: string): Promise<Signature>;
}

/** The key is 32 bytes of `nth`, from 1. */
export function ethereumSigner(nth: number): Signer<Identifier> {
  const account = privateKeyToAccount(`0x${nth.toString(16).padStart(2, "0").repeat(32)}`);
  return {
    identifier: { kind: "ethereum", address: account.address.toLowerCase() },
    sign: async (text) => ({ kind: "erc191", bytes: hexToBytes(await account.signMessage({ message: text })) }),
  };
}

export function installationSigner({ publicKey, secretKey }: InstallationKeys): Signer {
  const context = Buffer.from("IDENTITY UPDATE SIGNATURE");
  return {
    identifier: { kind: "installation", key: publicKey },
    sign: async (text) => ({
      kind: "installationKey",
      publicKey,
      bytes: ed25519ph.sign(Buffer.from(text), secretKey, { context }),
    }),
  };
}

/** The key is 32 bytes of `nth`, from 1. `changes` go into the client data. */
export function passkeySigner(nth: number, changes: object = {}): Signer<Identifier> {
  const secretKey = new Uint8Array(32).fill(nth);
  const publicKey = p256.getPublicKey(secretKey, true);
  const authenticatorData = Buffer.concat([createHash("sha256").update("app.example").digest(), Buffer.alloc(5, 1)]);
  return {
    identifier: { kind: "passkey", key: publicKey, relyingParty: "https://app.example" },
    sign: async (text) => {
      const challenge = Buffer.from(text).toString("base64url");
      const clientData = { type: "webauthn.get", challenge, origin: "https://app.example", ...changes };
      const clientDataJson = Buffer.from(JSON.stringify(clientData));
      const signed = Buffer.concat([authenticatorData, createHash("sha256").update(clientDataJson).digest()]);
      const signature = p256.sign(signed, secretKey, { format: "der", lowS: false });
      return { kind: "passkey", publicKey, signature, authenticatorData, clientDataJson };
    },
  };
}

/** A contract wallet; whether the signature counts is for the chain to say. */
export function walletSigner(accountId: string, blockNumber = 1n): Signer<Identifier> {
  return {
    identifier: { kind: "ethereum", address: (accountId.split(":")[2] ?? "").toLowerCase() },
    sign: async (text) => ({
      kind: "contractWallet",
      accountId,
      blockNumber,
      signature: Buffer.from(text.slice(0, 65)),
    }),
  };
}

/** A key of the protocol's first version, 32 bytes of `keyNth`, that the wallet of `nth` has signed for. */
export async function legacySigner(nth: number, keyNth: number): Promise<Signer<Identifier>> {
  const wallet = ethereumSigner(nth);
  const key = ethereumSigner(keyNth);
  const delegatedKey = await signLegacyKey(wallet, legacyKeyBytes(keyNth));
  return {
    identifier: wallet.identifier,
    sign: async (text) => ({ kind: "legacyDelegated", bytes: bytesOf(await key.sign(text)), delegatedKey }),
  };
}

/** `xmtp.message_contents.UnsignedPublicKey` of a key. */
export function legacyKeyBytes(keyNth: number): Uint8Array {
  const point = secp256k1.getPublicKey(new Uint8Array(32).fill(keyNth), false);
  return Uint8Array.of(8, 1, 26, point.length + 2, 10, point.length, ...point);
}

export async function signLegacyKey(wallet: Signer, keyBytes: Uint8Array): Promise<SignedPublicKey> {
  const hex = Buffer.from(keyBytes).toString("hex");
  const text = `XMTP : Create Identity\n${hex}\n\nFor more info: https://xmtp.org/signatures/`;
  const bytes = bytesOf(await wallet.sign(text));
  return { keyBytes, signature: { bytes: bytes.subarray(0, 64), recovery: (bytes[64] ?? 0) - 27 } };
}

export function bytesOf(signature: Signature): Uint8Array {
  if (signature.kind !== "erc191") throw new Error(`wanted a signature by an account, found ${signature.kind}`);
  return signature.bytes;
}

/** The update with all its signers' signatures over its text. */
export async function signUpdate(update: UpdateWith<Signer>): Promise<IdentityUpdate> {
  const text = signatureText(update);
  return { ...update, actions: await Promise.all(update.actions.map((action) => signAction(action, text))) };
}

async function signAction(action: ActionWith<Signer>, text: string): Promise<ActionWith<Signature>> {
  switch (action.kind) {
    case "createInbox": {
      const initialIdentifierSignature = await action.initialIdentifierSignature.sign(text);
      return { ...action, initialIdentifierSignature };
    }
    case "addAssociation": {
      const existingMemberSignature = await action.existingMemberSignature.sign(text);
      return { ...action, existingMemberSignature, newMemberSignature: await action.newMemberSignature.sign(text) };
    }
    case "revokeAssociation": {
      const recoveryIdentifierSignature = await action.recoveryIdentifierSignature.sign(text);
      return { ...action, recoveryIdentifierSignature };
    }
    case "changeRecoveryAddress": {
      const existingRecoveryIdentifierSignature = await action.existingRecoveryIdentifierSignature.sign(text);
      return { ...action, existingRecoveryIdentifierSignature };
    }
    default:
      return action satisfies never;
  }
}
