/** Checks one thing again and again, kind after kind. Each must be found valid. */

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { ed25519, ed25519ph } from "@noble/curves/ed25519.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { chainReader } from "../../../src/mls/association/chains";
import { hashText } from "../../../src/mls/association/ethereum";
import { applyUpdate } from "../../../src/mls/association/fold";
import { inboxIdOf } from "../../../src/mls/association/identifier";
import { signatureText } from "../../../src/mls/association/text";
import { verifySignatures } from "../../../src/mls/association/verify";
import { verifyEd25519 } from "../../../src/mls/ed25519";
import { encodeGroupMessage, parseGroupMessage } from "../../../src/mls/group-message";
import { checkKeyPackage } from "../../../src/mls/key-package";
import { bytesOf, ethereumSigner, installationSigner, signUpdate } from "../../support/identity-signers";
import { makeInstallationKeys, makeKeyPackage } from "../../support/key-packages";
import type { Cost, Validation } from "./measure";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "1" } } });
const durationMs = Number(values.seconds) * 1_000;
const warmUpMs = Math.min(500, durationMs);

const result: Validation = {
  identityUpdate: await costOfIdentityUpdate(),
  keyPackage: await costOfKeyPackage(),
  groupMessage: await costOfGroupMessage(),
};
console.log(JSON.stringify(result));

async function costOfIdentityUpdate(): Promise<Cost> {
  const owner = ethereumSigner(1);
  const keys = makeInstallationKeys();
  const installation = installationSigner(keys);
  const { identifier: initialIdentifier } = owner;
  const update = await signUpdate({
    inboxId: inboxIdOf(initialIdentifier, 0n),
    clientTimestampNs: BigInt(Date.now()) * 1_000_000n,
    actions: [
      { kind: "createInbox", initialIdentifier, nonce: 0n, initialIdentifierSignature: owner },
      {
        kind: "addAssociation",
        newMember: installation.identifier,
        existingMemberSignature: owner,
        newMemberSignature: installation,
      },
    ],
  });
  const chains = chainReader(new Map());
  const microseconds = await cpuMicroseconds(async () => {
    const verification = await verifySignatures(update, { chains });
    if (verification.kind !== "verified") throw new Error(verification.message);
    const applied = applyUpdate(undefined, verification.update);
    if (applied.kind === "refused") throw new Error(applied.message);
  });
  const text = signatureText(update);
  const [hash, message, context] = [hashText(text), Buffer.from(text), Buffer.from("IDENTITY UPDATE SIGNATURE")];
  const account = bytesOf(await owner.sign(text));
  const recovered = Uint8Array.of((account[64] ?? 0) - 27, ...account.subarray(0, 64));
  const signature = ed25519ph.sign(message, keys.secretKey, { context });
  const reference = await cpuMicroseconds(() => {
    secp256k1.recoverPublicKey(recovered, hash, { prehash: false });
    insist(ed25519ph.verify(signature, message, keys.publicKey, { context, zip215: false }));
  });
  return { microseconds, reference };
}

async function costOfKeyPackage(): Promise<Cost> {
  const keys = makeInstallationKeys();
  // What an SDK's has beside the rest: a post-quantum key.
  const extensions = [{ extensionType: 0xff03, extensionData: new Uint8Array(1_221) }];
  const data = await makeKeyPackage(keys, { tbs: { extensions } });
  const now = Date.now();
  const microseconds = await cpuMicroseconds(async () => {
    insist((await checkKeyPackage(data, now)).kind === "valid");
  });
  const message = new Uint8Array(1_000);
  const question = { publicKey: keys.publicKey, message, signature: ed25519.sign(message, keys.secretKey) };
  const reference = await cpuMicroseconds(async () => {
    insist(await verifyEd25519(question));
    insist(await verifyEd25519(question));
  });
  return { microseconds, reference };
}

async function costOfGroupMessage(): Promise<Cost> {
  const data = encodeGroupMessage({
    groupId: new Uint8Array(16),
    epoch: 1n,
    contentType: "application",
    authenticatedData: new Uint8Array(),
    encryptedSenderData: new Uint8Array(28),
    ciphertext: new Uint8Array(1_024 - 64),
  });
  const microseconds = await cpuMicroseconds(() => insist(parseGroupMessage(data).kind === "header"));
  const reference = await cpuMicroseconds(() => insist(createHash("sha256").update(data).digest().length === 32));
  return { microseconds, reference };
}

/** CPU time of this process for one call, all its threads together. */
async function cpuMicroseconds(check: () => void | Promise<void>): Promise<number> {
  await checkFor(warmUpMs, check);
  const before = process.cpuUsage();
  const calls = await checkFor(durationMs, check);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

async function checkFor(forMs: number, check: () => void | Promise<void>): Promise<number> {
  const started = performance.now();
  let calls = 0;
  do {
    for (let n = 0; n < 16; n++) {
      const checked = check();
      // Nothing waits that need not: a turn costs more than a group message.
      if (checked !== undefined) await checked;
    }
    calls += 16;
  } while (performance.now() - started < forMs);
  return calls;
}

function insist(isValid: boolean): void {
  if (!isValid) throw new Error("what is checked was not found valid");
}
