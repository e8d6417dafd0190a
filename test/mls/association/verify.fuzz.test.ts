/** Signatures with damage, of every kind. `FUZZ_SEEDS`, `FUZZ_FIRST` as in test/fuzz. */

import { expect, test } from "bun:test";
import { chainReader } from "../../../src/mls/association/chains";
import { inboxIdOf, isSameMember } from "../../../src/mls/association/identifier";
import { signatureText } from "../../../src/mls/association/text";
import type { MemberIdentifier, Signature } from "../../../src/mls/association/types";
import { verifySignatures } from "../../../src/mls/association/verify";
import {
  ethereumSigner,
  installationSigner,
  legacySigner,
  passkeySigner,
  type Signer,
} from "../../support/identity-signers";
import { makeInstallationKeys } from "../../support/key-packages";
import { Prng } from "../../support/prng";
import { OWNER } from "./verified";

const { FUZZ_SEEDS = "80", FUZZ_FIRST = "1" } = process.env;
const SEEDS = Array.from({ length: Number(FUZZ_SEEDS) }, (_, i) => Number(FUZZ_FIRST) + i);

const SIGNERS: readonly Signer[] = [
  ethereumSigner(1),
  installationSigner(makeInstallationKeys()),
  passkeySigner(7),
  await legacySigner(1, 2),
];

/** Other bytes than those, and not merely the recovery id written another way. */
function damage(bytes: Uint8Array, random: Prng): Uint8Array {
  const at = random.int(Math.min(bytes.length, 64));
  if (random.chance(0.2)) return bytes.subarray(0, at);
  if (random.chance(0.2)) return Uint8Array.of(...bytes, random.int(256));
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.int(8));
  return copy;
}

/** With one of its fields damaged. */
function damaged(signature: Signature, random: Prng): Signature {
  switch (signature.kind) {
    case "erc191":
      return { ...signature, bytes: damage(signature.bytes, random) };
    case "installationKey": {
      const { bytes, publicKey } = signature;
      if (random.chance(0.5)) return { ...signature, bytes: damage(bytes, random) };
      return { ...signature, publicKey: damage(publicKey, random) };
    }
    case "passkey": {
      const field = random.pick(["publicKey", "signature", "authenticatorData", "clientDataJson"] as const);
      return { ...signature, [field]: damage(signature[field], random) };
    }
    case "legacyDelegated": {
      const { bytes, delegatedKey } = signature;
      if (random.chance(0.3)) return { ...signature, bytes: damage(bytes, random) };
      const { keyBytes, signature: wallet } = delegatedKey;
      if (random.chance(0.5))
        return { ...signature, delegatedKey: { keyBytes: damage(keyBytes, random), signature: wallet } };
      return {
        ...signature,
        delegatedKey: { keyBytes, signature: { ...wallet, bytes: damage(wallet.bytes, random) } },
      };
    }
    default:
      throw new Error(`nobody here signs by ${signature.kind}`);
  }
}

/** Whose the signature turned out to be, in an update of OWNER's; undefined if it was refused. */
async function signerOf(
  update: ReturnType<typeof unsigned>,
  signature: Signature,
): Promise<MemberIdentifier | undefined> {
  const actions = [{ ...update.actions[0], initialIdentifierSignature: signature }];
  const verification = await verifySignatures({ ...update, actions }, { chains: chainReader(new Map()) });
  const action = verification.kind === "verified" ? verification.update.actions[0] : undefined;
  return action?.kind === "createInbox" ? action.initialIdentifierSignature.signer : undefined;
}

function unsigned(seed: number) {
  const action = {
    kind: "createInbox",
    initialIdentifier: OWNER,
    nonce: 0n,
    initialIdentifierSignature: undefined,
  } as const;
  return {
    inboxId: inboxIdOf(OWNER, 0n),
    clientTimestampNs: BigInt(seed) * 1_000_000_000n,
    actions: [action] as const,
  };
}

test("damage never makes verification throw, and leaves nobody's signature theirs", async () => {
  for (const seed of SEEDS) {
    const random = new Prng(seed);
    const update = unsigned(seed);
    const signer = random.pick(SIGNERS);
    const signature = await signer.sign(signatureText(update));
    const where = `FUZZ_FIRST=${seed} FUZZ_SEEDS=1 (${signature.kind})`;
    expect(await signerOf(update, signature), where).toMatchObject({ kind: signer.identifier.kind });
    const found = await signerOf(update, damaged(signature, random));
    expect(found !== undefined && isSameMember(found, signer.identifier), where).toBe(false);
  }
});
