import { describe, expect, test } from "bun:test";
import { ed25519, ed25519ph } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { hashMessage } from "viem";
import { applyUpdate } from "../../../src/mls/association/fold";
import { inboxIdOf, memberKey } from "../../../src/mls/association/identifier";
import { signatureText } from "../../../src/mls/association/text";
import type {
  AssociationState,
  ChainReader,
  ContractAnswer,
  ContractQuestion,
  Identifier,
  IdentityUpdate,
  Signature,
  Verification,
} from "../../../src/mls/association/types";
import { verifySignatures } from "../../../src/mls/association/verify";
import {
  bytesOf,
  ethereumSigner,
  installationSigner,
  legacyKeyBytes,
  legacySigner,
  passkeySigner,
  type Signer,
  signLegacyKey,
  signUpdate,
  walletSigner,
} from "../../support/identity-signers";
import { makeInstallationKeys } from "../../support/key-packages";
import { decodeRecorded, RECORDED_UPDATES } from "../recorded/node-sdk";

const ACCOUNT = "eip155:8453:0x00000000000000000000000000000000000000Aa";
const keys = makeInstallationKeys();
const owner = ethereumSigner(1);
const installation = installationSigner(keys);

/** A chain that gives one answer, and remembers what it was asked. */
class Chain implements ChainReader {
  readonly asked: ContractQuestion[] = [];
  readonly #answer: ContractAnswer;

  constructor(answer: ContractAnswer) {
    this.#answer = answer;
  }

  async verifyContractSignature(question: ContractQuestion): Promise<ContractAnswer> {
    this.asked.push(question);
    return this.#answer;
  }
}

const noChain = new Chain({ kind: "chainNotConfigured", message: "no chain here" });

async function verify(update: IdentityUpdate, chains: ChainReader = noChain): Promise<Verification> {
  return await verifySignatures(update, { chains });
}

/** An inbox of the signer's identifier, created with its signature. */
async function created(signer: Signer<Identifier>, nonce = 0n): Promise<IdentityUpdate> {
  const { identifier: initialIdentifier } = signer;
  const inboxId = inboxIdOf(initialIdentifier, nonce);
  const actions = [{ kind: "createInbox", initialIdentifier, nonce, initialIdentifierSignature: signer }] as const;
  return await signUpdate({ inboxId, clientTimestampNs: 1_700_000_000_000_000_000n, actions });
}

/** {@link created} with its signature replaced. */
async function createdBy(signer: Signer<Identifier>, change: (signature: Signature) => Signature) {
  const update = await created(signer);
  const actions = update.actions.map((action) =>
    action.kind === "createInbox"
      ? { ...action, initialIdentifierSignature: change(action.initialIdentifierSignature) }
      : action,
  );
  return { ...update, actions };
}

/** Who signed, or which rule is broken. */
async function signerOf(update: IdentityUpdate, chains?: ChainReader): Promise<string> {
  const verification = await verify(update, chains);
  if (verification.kind !== "verified") return verification.kind === "refused" ? verification.rule : "unavailable";
  const [action] = verification.update.actions;
  if (action?.kind !== "createInbox") throw new Error("wanted an update that creates an inbox");
  return memberKey(action.initialIdentifierSignature.signer);
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

describe("the updates of a real SDK", () => {
  test("verify, and fold into the inbox that it thinks it has", async () => {
    let state: AssociationState | undefined;
    const members: string[][] = [];
    for (const { update } of RECORDED_UPDATES) {
      const verification = await verify(decodeRecorded(update));
      if (verification.kind !== "verified") throw new Error(verification.message);
      const applied = applyUpdate(state, verification.update);
      if (applied.kind === "refused") throw new Error(applied.message);
      state = applied.state;
      members.push(state.members.map(({ identifier }) => memberKey(identifier)));
    }
    const [first, second] = [ethereumSigner(0x11), ethereumSigner(0x22)].map(({ identifier }) => memberKey(identifier));
    const own = "installation:c226e781ad3d18f48541eb2ea6eedcc879c36ffc9db33919518edd3afdb09ed4";
    expect(members).toEqual([
      [first, own],
      [first, own, second],
      [first, own],
      [first, own],
    ] as string[][]);
    expect(state?.recoveryIdentifier).toEqual(ethereumSigner(0x22).identifier);
  });

  test("are refused when they come a second time", async () => {
    let state: AssociationState | undefined;
    for (const { update } of RECORDED_UPDATES.slice(0, 3)) {
      const verification = await verify(decodeRecorded(update));
      if (verification.kind !== "verified") throw new Error(verification.message);
      const applied = applyUpdate(state, verification.update);
      if (applied.kind === "refused") throw new Error(applied.message);
      state = applied.state;
      expect(applyUpdate(state, verification.update)).toMatchObject({
        kind: "refused",
        rule: state.updates === 1 ? "alreadyCreated" : "replayedSignature",
      });
    }
  });
});

describe("an account's signature", () => {
  test("names its address", async () => {
    expect(await signerOf(await created(owner))).toBe(memberKey(owner.identifier));
  });

  test("counts with either form of the recovery id, and is the same signature to the fold", async () => {
    const update = await createdBy(owner, (signature) => {
      const bytes = Uint8Array.from(bytesOf(signature));
      bytes[64] = (bytes[64] ?? 0) - 27;
      return { kind: "erc191", bytes };
    });
    const [bent, plain] = [await verify(update), await verify(await created(owner))];
    if (bent.kind !== "verified" || plain.kind !== "verified") throw new Error("they do not verify");
    const keysOf = (verified: typeof bent) => {
      const [action] = verified.update.actions;
      return action?.kind === "createInbox" ? action.initialIdentifierSignature.replayKeys : [];
    };
    expect(keysOf(bent).filter((key) => keysOf(plain).includes(key)).length).toBe(2);
  });

  test("over another text names somebody else", async () => {
    const update = { ...(await created(owner)), clientTimestampNs: 1_700_000_001_000_000_000n };
    expect(await signerOf(update)).not.toBe(memberKey(owner.identifier));
  });

  test("with the higher s is refused: clients recover somebody else from it", async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const update = await createdBy(owner, (signature) => {
      const bytes = Buffer.from(bytesOf(signature));
      const high = order - BigInt(`0x${bytes.subarray(32, 64).toString("hex")}`);
      Buffer.from(high.toString(16).padStart(64, "0"), "hex").copy(bytes, 32);
      bytes[64] = 55 - (bytes[64] ?? 0); // 27 to 28 and back: whoever recovers from it gets the owner
      return { kind: "erc191", bytes };
    });
    expect(await signerOf(update)).toBe("malformedSignature");
  });

  test.each([
    ["64 bytes", (bytes: Uint8Array) => bytes.subarray(0, 64), "malformedSignature"],
    ["66 bytes", (bytes: Uint8Array) => Uint8Array.of(...bytes, 0), "malformedSignature"],
    ["no bytes", () => new Uint8Array(), "malformedSignature"],
    ["a recovery id of 29", (bytes: Uint8Array) => Uint8Array.of(...bytes.subarray(0, 64), 29), "malformedSignature"],
    ["an r of 0", (bytes: Uint8Array) => Uint8Array.of(...new Uint8Array(32), ...bytes.subarray(32)), "badSignature"],
    [
      "an s of 0",
      (bytes: Uint8Array) => Uint8Array.of(...bytes.subarray(0, 32), ...new Uint8Array(32), 27),
      "badSignature",
    ],
  ])("with %s is refused", async (_, change, rule) => {
    const update = await createdBy(owner, (signature) => ({ kind: "erc191", bytes: change(bytesOf(signature)) }));
    expect(await signerOf(update)).toBe(rule);
  });
});

describe("an installation's signature", () => {
  const signed = async (change: (signature: Extract<Signature, { kind: "installationKey" }>) => Signature) => {
    const signature = await installation.sign(signatureText(await created(owner)));
    if (signature.kind !== "installationKey") throw new Error("wanted an installation's signature");
    return await signerOf(await createdBy(owner, () => change(signature)));
  };

  test("names its key", async () => {
    expect(await signed((signature) => signature)).toBe(memberKey(installation.identifier));
  });

  test("is refused with any bit of it changed, with another key, and without its context", async () => {
    for (const at of [0, 31, 32, 63]) {
      expect(await signed((signature) => ({ ...signature, bytes: flipped(signature.bytes, at) }))).toBe("badSignature");
    }
    const { publicKey } = makeInstallationKeys();
    expect(await signed((signature) => ({ ...signature, publicKey }))).toBe("badSignature");
    const text = Buffer.from(signatureText(await created(owner)));
    for (const bytes of [ed25519.sign(text, keys.secretKey), ed25519ph.sign(text, keys.secretKey)]) {
      expect(await signed((signature) => ({ ...signature, bytes }))).toBe("badSignature");
    }
  });

  test.each([0, 31, 33])("with a key of %d bytes is refused", async (length) => {
    expect(await signed((signature) => ({ ...signature, publicKey: new Uint8Array(length) }))).toBe("badSignature");
  });

  test("that only holds with the cofactor is refused: clients verify without", async () => {
    const text = Buffer.from(signatureText(await created(owner)));
    const context = Buffer.from("IDENTITY UPDATE SIGNATURE");
    for (const where of ["key", "commitment"] as const) {
      const { publicKey, bytes } = signWithTorsion(text, where);
      expect(ed25519ph.verify(bytes, text, publicKey, { context, zip215: false })).toBe(true);
      expect(await signed((signature) => ({ ...signature, publicKey, bytes }))).toBe("badSignature");
    }
  });
});

/** A signature whose key or commitment has a part of small order, as whoever holds a key can make one. */
function signWithTorsion(text: Uint8Array, where: "key" | "commitment") {
  const { Point } = ed25519;
  const torsion = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"); // of order 8
  const secret = 12_345n;
  const publicKey = Point.BASE.multiply(secret)
    .add(where === "key" ? torsion : Point.ZERO)
    .toBytes();
  const context = Buffer.from("IDENTITY UPDATE SIGNATURE");
  const nonce = 54_321n;
  const commitment = Point.BASE.multiply(nonce)
    .add(where === "key" ? Point.ZERO : torsion)
    .toBytes();
  const hash = (...parts: Uint8Array[]) => new Bun.CryptoHasher("sha512").update(Buffer.concat(parts)).digest();
  const prefix = Buffer.concat([
    Buffer.from("SigEd25519 no Ed25519 collisions"),
    Uint8Array.of(1, context.length),
    context,
  ]);
  const challenge = BigInt(
    `0x${Buffer.from(hash(prefix, commitment, publicKey, hash(text)))
      .reverse()
      .toString("hex")}`,
  );
  const s = (nonce + challenge * secret) % Point.Fn.ORDER;
  const little = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
  return { publicKey, bytes: Uint8Array.of(...commitment, ...little) };
}

describe("a passkey's signature", () => {
  const passkey = passkeySigner(7);
  type Passkey = Extract<Signature, { kind: "passkey" }>;
  const changed = async (change: (signature: Passkey) => Partial<Passkey>) =>
    await signerOf(
      await createdBy(passkey, (signature) => {
        if (signature.kind !== "passkey") throw new Error("wanted a passkey's signature");
        return { ...signature, ...change(signature) };
      }),
    );

  test("names its key, and the origin as relying party", async () => {
    const verification = await verify(await created(passkey));
    if (verification.kind !== "verified") throw new Error(verification.message);
    expect(verification.update.actions[0]).toMatchObject({
      initialIdentifierSignature: { kind: "passkey", signer: passkey.identifier, chainId: undefined },
    });
  });

  test("counts with either sign of s, and is the same signature to the fold", async () => {
    const other = await createdBy(passkey, (signature) => {
      if (signature.kind !== "passkey") throw new Error("wanted a passkey's signature");
      const { r, s } = p256.Signature.fromBytes(signature.signature, "der");
      return { ...signature, signature: new p256.Signature(r, p256.Point.Fn.ORDER - s).toBytes("der") };
    });
    const [bent, plain] = [await verify(other), await verify(await created(passkey))];
    if (bent.kind !== "verified" || plain.kind !== "verified") throw new Error("they do not verify");
    const [one, two] = [bent, plain].map(({ update: { actions } }) => {
      return actions[0]?.kind === "createInbox" ? [...actions[0].initialIdentifierSignature.replayKeys].sort() : [];
    });
    expect(one).toEqual(two ?? []);
  });

  test("is refused with anything changed that it covers", async () => {
    expect(await changed(({ authenticatorData }) => ({ authenticatorData: flipped(authenticatorData, 3) }))).toBe(
      "badSignature",
    );
    expect(await changed(({ publicKey }) => ({ publicKey: flipped(publicKey, 0) }))).toBe("badSignature");
    expect(await changed(({ signature }) => ({ signature: flipped(signature, signature.length - 1) }))).toBe(
      "badSignature",
    );
    expect(await changed(({ signature }) => ({ signature: Uint8Array.of(...signature, 0) }))).toBe("badSignature");
    const { publicKey } = await otherPasskey();
    expect(await changed(() => ({ publicKey }))).toBe("badSignature");
  });

  test("is refused when its challenge is another text, or the text written another way", async () => {
    const text = Buffer.from(signatureText(await created(passkey)));
    for (const challenge of ["", "AAAA", text.toString("base64"), `${text.toString("base64url")}=`]) {
      expect(await signerOf(await created(passkeySigner(7, { challenge })))).toBe("badSignature");
    }
  });

  test("is refused with client data that parsers read differently", async () => {
    const fields = [null, 5, [], {}, "x\ud800"];
    for (const origin of fields) {
      expect(await signerOf(await created(passkeySigner(7, { origin })))).toBe("malformedSignature");
    }
    expect(await signerOf(await created(passkeySigner(7, { more: { challenge: "x" } })))).toBe("malformedSignature");
    const from = (text: string) => async () => await changed(() => ({ clientDataJson: Buffer.from(text) }));
    for (const text of [
      "",
      "[]",
      "null",
      '{"challenge":"x"',
      "\ufeff{}",
      '{"origin":"a","origin":"b","challenge":"c"}',
    ]) {
      expect(await from(text)()).toBe("malformedSignature");
    }
    expect(await from('{"origin":"a","challenge":"c","\\u006frigin":"b"}')()).toBe("malformedSignature");
    expect(await from('\ufeff{"origin":"a","challenge":"c"}')()).toBe("malformedSignature");
    expect(await changed(() => ({ clientDataJson: Uint8Array.of(0xff) }))).toBe("malformedSignature");
  });

  test("may have client data with whatever else in it", async () => {
    const more = {
      crossOrigin: false,
      other_keys: 'do not compare: "challenge": {}',
      nested: { deep: [1, { a: "b" }] },
    };
    expect(await signerOf(await created(passkeySigner(7, more)))).toBe(memberKey(passkey.identifier));
  });

  async function otherPasskey(): Promise<Passkey> {
    const signature = await passkeySigner(8).sign("");
    if (signature.kind !== "passkey") throw new Error("wanted a passkey's signature");
    return signature;
  }
});

describe("a legacy key's signature", () => {
  test("names the wallet that had signed for the key, and is the wallet's to the fold", async () => {
    const one = await verify(await created(await legacySigner(1, 2)));
    if (one.kind !== "verified") throw new Error(one.message);
    const [action] = one.update.actions;
    if (action?.kind !== "createInbox") throw new Error("wanted an update that creates an inbox");
    expect(action.initialIdentifierSignature).toMatchObject({ kind: "legacyDelegated", signer: owner.identifier });
    const later = { ...(await created(await legacySigner(1, 2), 5n)), clientTimestampNs: 1_700_000_000_000_000_001n };
    const two = await verify(later);
    if (two.kind !== "verified" || two.update.actions[0]?.kind !== "createInbox") throw new Error("it does not verify");
    const again = two.update.actions[0].initialIdentifierSignature.replayKeys;
    expect(action.initialIdentifierSignature.replayKeys.filter((key) => again.includes(key)).length).toBe(2);
  });

  test("is refused when the key is not the one that signed", async () => {
    const delegatedKey = await signLegacyKey(owner, legacyKeyBytes(3));
    const update = await createdBy(await legacySigner(1, 2), (signature) => {
      if (signature.kind !== "legacyDelegated") throw new Error("wanted a legacy key's signature");
      return { ...signature, delegatedKey };
    });
    expect(await signerOf(update)).toBe("badSignature");
  });

  test("names somebody else when the wallet had signed for another key", async () => {
    const { signature } = await signLegacyKey(owner, legacyKeyBytes(3));
    const update = await createdBy(await legacySigner(1, 2), (legacy) => {
      if (legacy.kind !== "legacyDelegated") throw new Error("wanted a legacy key's signature");
      return { ...legacy, delegatedKey: { ...legacy.delegatedKey, signature } };
    });
    const signer = await signerOf(update);
    expect(signer).toStartWith("ethereum:");
    expect(signer).not.toBe(memberKey(owner.identifier));
  });

  test.each([
    ["no protobuf", Uint8Array.of(255)],
    ["an empty message", new Uint8Array()],
    ["a compressed key", Uint8Array.of(26, 35, 10, 33, 2, ...new Uint8Array(32).fill(1))],
    ["a key that is cut off", legacyKeyBytes(2).subarray(0, 60)],
  ])("is refused with %s for key bytes", async (_, keyBytes) => {
    const update = await createdBy(await legacySigner(1, 2), (signature) => {
      if (signature.kind !== "legacyDelegated") throw new Error("wanted a legacy key's signature");
      return { ...signature, delegatedKey: { ...signature.delegatedKey, keyBytes } };
    });
    expect(await signerOf(update)).toBe("malformedSignature");
  });
});

describe("a contract wallet's signature", () => {
  const wallet = walletSigner(ACCOUNT, 7n);
  const takes = () => new Chain({ kind: "answered", isValid: true, blockNumber: 7n });

  test("is put to its chain: address, digest of the text, block", async () => {
    const chain = takes();
    const update = await created(wallet);
    expect(await signerOf(update, chain)).toBe(memberKey(wallet.identifier));
    expect(chain.asked).toMatchObject([{ chainId: 8453n, address: ACCOUNT.slice(12), blockNumber: 7n }]);
    expect(chain.asked[0]?.hash).toEqual(hashMessage(signatureText(update), "bytes"));
  });

  test("carries the chain id into the fold", async () => {
    const verification = await verify(await created(wallet), takes());
    if (verification.kind !== "verified") throw new Error(verification.message);
    const applied = applyUpdate(undefined, verification.update);
    expect(applied).toMatchObject({ kind: "state", state: { members: [{ addedOnChainId: 8453n }] } });
  });

  test("is refused when the wallet does not take it", async () => {
    const chain = new Chain({ kind: "answered", isValid: false, blockNumber: 7n });
    expect(await signerOf(await created(wallet), chain)).toBe("badSignature");
  });

  test("is refused where nobody can ask the chain, in words that say so", async () => {
    const verification = await verify(await created(wallet));
    expect(verification).toMatchObject({ kind: "refused", rule: "chainNotConfigured", action: 0 });
    expect(verification.kind === "refused" ? verification.message : "").toContain("no chain here");
  });

  test("is left open when the chain does not answer", async () => {
    const chain = new Chain({ kind: "unreachable", message: "chain 8453 is out" });
    const verification = await verify(await created(wallet), chain);
    expect(verification).toMatchObject({ kind: "unavailable", action: 0 });
    expect(verification.kind === "unavailable" ? verification.message : "").toContain("chain 8453 is out");
  });

  test.each([
    "",
    "0x00000000000000000000000000000000000000aa",
    "eip155:8453",
    "eip155:8453:00000000000000000000000000000000000000aa00",
    "eip155:8453:0x00000000000000000000000000000000000000aa:1",
    "eip155:-1:0x00000000000000000000000000000000000000aa",
    "eip155:18446744073709551616:0x00000000000000000000000000000000000000aa",
    "solana:8453:0x00000000000000000000000000000000000000aa",
  ])("of the account %p is refused and asked of no chain", async (accountId) => {
    const chain = takes();
    const update = await createdBy(wallet, (signature) => ({ ...signature, accountId }) as Signature);
    expect(await signerOf(update, chain)).toBe("malformedSignature");
    expect(chain.asked).toEqual([]);
  });

  test("is asked about once, however many actions it is for", async () => {
    const chain = takes();
    const { identifier: initialIdentifier } = wallet;
    const inboxId = inboxIdOf(initialIdentifier, 0n);
    const update = await signUpdate({
      inboxId,
      clientTimestampNs: 0n,
      actions: [
        { kind: "createInbox", initialIdentifier, nonce: 0n, initialIdentifierSignature: wallet },
        {
          kind: "addAssociation",
          newMember: installation.identifier,
          existingMemberSignature: wallet,
          newMemberSignature: installation,
        },
      ],
    });
    const verification = await verify(update, chain);
    expect(verification.kind).toBe("verified");
    expect(chain.asked.length).toBe(1);
  });
});

test("an update that is refused by its shape costs no verification", async () => {
  const chain = new Chain({ kind: "answered", isValid: true, blockNumber: 1n });
  const update = await created(walletSigner(ACCOUNT));
  const actions = Array.from({ length: 101 }, () => update.actions).flat();
  expect(await verify({ ...update, actions }, chain)).toMatchObject({ kind: "refused", rule: "tooManyActions" });
  expect(chain.asked).toEqual([]);
});

test("a refused signature says which action and what was wanted", async () => {
  const update = await createdBy(owner, () => ({ kind: "erc191", bytes: new Uint8Array(3) }));
  const verification = await verify(update);
  expect(verification.kind === "refused" ? verification.message : "").toBe(
    "identity update refused (malformedSignature): action 0 (createInbox): wanted r, s and a recovery id of 0, 1, 27 or 28, 65 bytes, found 3 bytes",
  );
});

test("each signature waits for its turn, and one that stands in several actions only once", async () => {
  const { identifier: initialIdentifier } = owner;
  const { identifier: newMember } = installation;
  const update = await signUpdate({
    inboxId: inboxIdOf(initialIdentifier, 0n),
    clientTimestampNs: 1_700_000_000_000_000_000n,
    actions: [
      { kind: "createInbox", initialIdentifier, nonce: 0n, initialIdentifierSignature: owner },
      { kind: "addAssociation", newMember, existingMemberSignature: owner, newMemberSignature: installation },
    ],
  });
  let turns = 0;
  const turn = async () => {
    turns++;
  };
  expect((await verifySignatures(update, { chains: noChain, turn })).kind).toBe("verified");
  expect(turns).toBe(2);
});
