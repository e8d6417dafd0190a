/** Identity updates that are signed as they ought to be, by wallets and installations of the test's own. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { inboxIdOf } from "../../src/mls/association/identifier";
import { signatureText } from "../../src/mls/association/text";
import type { ActionWith } from "../../src/mls/association/types";
import { type IdentityUpdate, IdentityUpdateSchema } from "../../src/wire/gen/identity/associations/association_pb";
import type { SignatureSchema } from "../../src/wire/gen/identity/associations/signature_pb";
import { type InstallationKeys, makeInstallationKeys } from "./key-packages";

type SignatureInit = MessageInitShape<typeof SignatureSchema>;

const CONTEXT = new TextEncoder().encode("IDENTITY UPDATE SIGNATURE");

/** Somebody with an Ethereum key. */
export class Wallet {
  readonly #account = privateKeyToAccount(generatePrivateKey());

  get address(): string {
    return this.#account.address.toLowerCase();
  }

  /** The inbox that it creates with a nonce. */
  inboxId(nonce = 0n): string {
    return inboxIdOf({ kind: "ethereum", address: this.address }, nonce);
  }

  async sign(text: string): Promise<SignatureInit> {
    const signature = await this.#account.signMessage({ message: text });
    return { signature: { case: "erc191", value: { bytes: bytesOf(signature.slice(2)) } } };
  }
}

/** The update by which SDKs register: creates the wallet's inbox and adds an installation. */
export async function registration(
  wallet: Wallet,
  { nonce = 0n, installation = makeInstallationKeys() }: { nonce?: bigint; installation?: InstallationKeys } = {},
): Promise<IdentityUpdate> {
  const key = Uint8Array.from(installation.publicKey);
  const { text, ...update } = outline(wallet.inboxId(nonce), [
    {
      kind: "createInbox",
      initialIdentifier: { kind: "ethereum", address: wallet.address },
      nonce,
      initialIdentifierSignature: undefined,
    },
    adding({ kind: "installation", key }),
  ]);
  const signature = await wallet.sign(text);
  const value = { initialIdentifier: wallet.address, nonce, initialIdentifierSignature: signature };
  const add = {
    newMemberIdentifier: { kind: { case: "installationPublicKey", value: key } },
    existingMemberSignature: signature,
    newMemberSignature: signByInstallation(installation, text),
  } as const;
  return create(IdentityUpdateSchema, {
    ...update,
    actions: [{ kind: { case: "createInbox", value } }, { kind: { case: "add", value: add } }],
  });
}

/** The update by which a member of an inbox lets another wallet in. */
export async function addition(inboxId: string, member: Wallet, added: Wallet): Promise<IdentityUpdate> {
  const { text, ...update } = outline(inboxId, [adding({ kind: "ethereum", address: added.address })]);
  const value = {
    newMemberIdentifier: { kind: { case: "ethereumAddress", value: added.address } },
    existingMemberSignature: await member.sign(text),
    newMemberSignature: await added.sign(text),
  } as const;
  return create(IdentityUpdateSchema, { ...update, actions: [{ kind: { case: "add", value } }] });
}

/** The update by which the recovery identifier of an inbox throws a wallet out. */
export async function revocation(inboxId: string, recovery: Wallet, revoked: Wallet): Promise<IdentityUpdate> {
  const memberToRevoke = { kind: "ethereum", address: revoked.address } as const;
  const { text, ...update } = outline(inboxId, [
    { kind: "revokeAssociation", memberToRevoke, recoveryIdentifierSignature: undefined },
  ]);
  const value = {
    memberToRevoke: { kind: { case: "ethereumAddress", value: revoked.address } },
    recoveryIdentifierSignature: await recovery.sign(text),
  } as const;
  return create(IdentityUpdateSchema, { ...update, actions: [{ kind: { case: "revoke", value } }] });
}

type Outline = ActionWith<undefined>;

/** An update before it is signed, with the text that has to be. */
function outline(inboxId: string, actions: readonly Outline[]) {
  const clientTimestampNs = BigInt(Date.now()) * 1_000_000n;
  return { inboxId, clientTimestampNs, text: signatureText({ inboxId, clientTimestampNs, actions }) };
}

function adding(newMember: Extract<Outline, { kind: "addAssociation" }>["newMember"]): Outline {
  return { kind: "addAssociation", newMember, existingMemberSignature: undefined, newMemberSignature: undefined };
}

function signByInstallation({ publicKey, secretKey }: InstallationKeys, text: string): SignatureInit {
  const bytes = ed25519ph.sign(new TextEncoder().encode(text), secretKey, { context: CONTEXT });
  return {
    signature: {
      case: "installationKey",
      value: { bytes: Uint8Array.from(bytes), publicKey: Uint8Array.from(publicKey) },
    },
  };
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}
