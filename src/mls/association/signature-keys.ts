/** Signatures by keys that are no Ethereum accounts: installations and passkeys. */

import { createHash } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { verifyEd25519ph } from "../ed25519";
import { readClientData } from "./client-data";
import type { Outcome } from "./outcome";
import { fault } from "./refusal";
import type { Signature } from "./types";

const INSTALLATION_CONTEXT = Buffer.from("IDENTITY UPDATE SIGNATURE");

type InstallationSignature = Extract<Signature, { kind: "installationKey" }>;
type PasskeySignature = Extract<Signature, { kind: "passkey" }>;

/** Ed25519ph over the text, with a context of its own. */
export function verifyInstallation(text: string, { bytes, publicKey }: InstallationSignature): Outcome {
  const message = Buffer.from(text);
  if (!verifyEd25519ph({ publicKey, message, signature: bytes }, INSTALLATION_CONTEXT)) {
    const words = `wanted an Ed25519ph signature with the context "${INSTALLATION_CONTEXT}" over the update's text`;
    return fault("badSignature", `${words} by the installation key it comes with, found another`);
  }
  return { kind: "signed", signer: { kind: "installation", key: publicKey }, remembered: [bytes] };
}

/** WebAuthn: the text is the challenge; authenticator data and a digest of the client data are what is signed. */
export function verifyPasskey(text: string, passkey: PasskeySignature): Outcome {
  const { publicKey, signature, authenticatorData, clientDataJson } = passkey;
  const clientData = readClientData(clientDataJson);
  if (typeof clientData === "string") return fault("malformedSignature", `client_data_json: ${clientData}`);
  if (clientData.challenge !== Buffer.from(text).toString("base64url")) {
    const words = "client_data_json: wanted the update's text in unpadded base64url as its challenge, found another";
    return fault("badSignature", words);
  }
  const signed = Buffer.concat([authenticatorData, createHash("sha256").update(clientDataJson).digest()]);
  if (!verifyP256(publicKey, signed, signature)) {
    const words = "wanted a P-256 signature in DER over the authenticator data and the digest of the client data";
    return fault("badSignature", `${words}, by the passkey it comes with, found another`);
  }
  const signer = { kind: "passkey", key: publicKey, relyingParty: clientData.origin } as const;
  return { kind: "signed", signer, remembered: bothSigns(signature) };
}

/** Either sign of s counts: authenticators do not care, and neither do the clients. */
function verifyP256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return p256.verify(signature, message, publicKey, { format: "der", prehash: true, lowS: false });
  } catch {
    // The library's word for bytes that are no key or no signature.
    return false;
  }
}

/** r and s, r and -s: whoever sees a signature can turn the one into the other. */
function bothSigns(signature: Uint8Array): readonly Uint8Array[] {
  const { r, s } = p256.Signature.fromBytes(signature, "der");
  return [s, p256.Point.Fn.ORDER - s].map((either) => new p256.Signature(r, either).toBytes("compact"));
}
