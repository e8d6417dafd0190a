import { describe, expect, test } from "bun:test";
import { applyUpdate } from "../../../src/mls/association/fold";
import { inboxIdOf, memberKey } from "../../../src/mls/association/identifier";
import { IDENTITY_LIMITS } from "../../../src/mls/association/types";
import {
  add,
  address,
  by,
  changeRecovery,
  create,
  fold,
  INBOX,
  inboxWith,
  installation,
  membersOf,
  OWNER,
  passkey,
  revoke,
  ruleBroken,
  update,
  type VerifiedAction,
} from "./verified";

const OTHER = address(2);
const STRANGER = address(99);
const legacy = (nth: number) => by(address(nth), { kind: "legacyDelegated" });
const onChain = (nth: number, chainId: bigint) => by(address(nth), { kind: "contractWallet", chainId });

describe("creating an inbox", () => {
  test("makes its identifier the only member and what it is recovered by", () => {
    const state = fold([create(OWNER)]);
    expect(state).toMatchObject({ inboxId: INBOX, recoveryIdentifier: OWNER, updates: 1 });
    expect(state.members).toEqual([
      { identifier: OWNER, addedBy: undefined, clientTimestampNs: undefined, addedOnChainId: undefined },
    ]);
  });

  test("and adding an installation can be one update, with the same signature for both", () => {
    const signature = by(OWNER);
    const state = fold([create(OWNER, 0n, signature), add(installation(1), signature)]);
    expect(membersOf(state)).toEqual([memberKey(OWNER), memberKey(installation(1))]);
    expect(state.updates).toBe(1);
  });

  test("can be done once", () => {
    expect(ruleBroken(inboxWith(), create(OWNER))).toEqual(["alreadyCreated", 0]);
    expect(ruleBroken(undefined, create(OWNER), create(OWNER))).toEqual(["alreadyCreated", 1]);
  });

  test("has to be signed by its identifier", () => {
    expect(ruleBroken(undefined, create(OWNER, 0n, by(STRANGER)))).toEqual(["signerIsNotTheIdentifier", 0]);
    expect(ruleBroken(undefined, create(OWNER, 0n, by(installation(1))))).toEqual(["signerIsNotTheIdentifier", 0]);
  });

  test("has to make the inbox id that the update names", () => {
    expect(ruleBroken(undefined, create(OWNER, 1n))).toEqual(["wrongInboxId", 0]);
    expect(ruleBroken(undefined, create(OTHER))).toEqual(["wrongInboxId", 0]);
  });

  test("comes before everything else", () => {
    expect(ruleBroken(undefined, add(installation(1), by(OWNER)), create(OWNER))).toEqual(["notCreated", 0]);
    expect(ruleBroken(undefined, revoke(OWNER, by(OWNER)))).toEqual(["notCreated", 0]);
    expect(ruleBroken(undefined, changeRecovery(OTHER, by(OWNER)))).toEqual(["notCreated", 0]);
  });

  test("by a passkey, a contract wallet or a legacy key works too", () => {
    const creators = [create(passkey(1)), create(OWNER, 0n, onChain(1, 8453n)), create(OWNER, 0n, legacy(1))] as const;
    for (const action of creators) {
      if (action.kind !== "createInbox") throw new Error("it creates nothing");
      const inboxId = inboxIdOf(action.initialIdentifier, 0n);
      expect(applyUpdate(undefined, { ...update(action), inboxId }).kind).toBe("state");
    }
  });

  test("by a legacy key works with nonce 0 only", () => {
    const inboxId = inboxIdOf(OWNER, 5n);
    const applied = applyUpdate(undefined, { ...update(create(OWNER, 5n, legacy(1))), inboxId });
    expect(applied).toMatchObject({ kind: "refused", rule: "legacySignatureNotAllowed", action: 0 });
    expect(applyUpdate(undefined, { ...update(create(OWNER, 5n)), inboxId }).kind).toBe("state");
  });

  test("by a signature of a kind that its identifier never makes is refused", () => {
    const signature = by(OWNER, { kind: "installationKey" });
    expect(ruleBroken(undefined, create(OWNER, 0n, signature))).toEqual(["signatureKindNotAllowed", 0]);
  });
});

describe("adding a member", () => {
  test("remembers who added it, when, and on which chain", () => {
    const state = fold([create(OWNER)], [add(OTHER, by(OWNER), onChain(2, 10n))]);
    expect(state.members[1]).toEqual({
      identifier: OTHER,
      addedBy: OWNER,
      clientTimestampNs: 1_700_000_000_000_000_000n,
      addedOnChainId: 10n,
    });
  });

  test("needs the new member's signature", () => {
    expect(ruleBroken(inboxWith(), add(installation(1), by(OWNER), by(installation(2))))).toEqual([
      "signerIsNotTheIdentifier",
      0,
    ]);
    expect(ruleBroken(inboxWith(), add(OTHER, by(OWNER), by(OWNER)))).toEqual(["signerIsNotTheIdentifier", 0]);
  });

  test("needs the signature of a member", () => {
    expect(ruleBroken(inboxWith(), add(installation(1), by(STRANGER)))).toEqual(["signerIsNotAMember", 0]);
    const revoked = fold([create(OWNER)], [add(OTHER, by(OWNER))], [revoke(OTHER, by(OWNER))]);
    expect(ruleBroken(revoked, add(installation(1), by(OTHER)))).toEqual(["signerIsNotAMember", 0]);
  });

  test("can be done by the recovery identifier, member or not", () => {
    const state = fold([create(OWNER)], [changeRecovery(OTHER, by(OWNER))]);
    expect(membersOf(state)).toEqual([memberKey(OWNER)]);
    expect(ruleBroken(state, add(installation(1), by(OTHER)))).toBe("none");
    expect(ruleBroken(state, add(installation(1), legacy(2)))).toEqual(["legacySignatureNotAllowed", 0]);
  });

  test("cannot be done by itself", () => {
    expect(ruleBroken(inboxWith(), add(OWNER, by(OWNER)))).toEqual(["addsItself", 0]);
  });

  test("an installation may add accounts, but no installation", () => {
    const state = inboxWith(installation(1));
    expect(ruleBroken(state, add(OTHER, by(installation(1))))).toBe("none");
    expect(ruleBroken(state, add(passkey(1), by(installation(1))))).toBe("none");
    expect(ruleBroken(state, add(installation(2), by(installation(1))))).toEqual(["memberMayNotAdd", 0]);
  });

  test("a passkey may add what it likes, and is its key whatever the relying party", () => {
    const state = inboxWith(passkey(1, "https://one.example"));
    expect(ruleBroken(state, add(installation(2), by(passkey(1, "https://two.example"))))).toBe("none");
    expect(ruleBroken(state, add(OTHER, by(passkey(1))))).toBe("none");
    expect(ruleBroken(state, add(OTHER, by(passkey(2))))).toEqual(["signerIsNotAMember", 0]);
  });

  test("with signatures of kinds that such members never make is refused", () => {
    const asWallet = by(installation(1), { kind: "erc191" });
    expect(ruleBroken(inboxWith(), add(installation(1), by(OWNER), asWallet))).toEqual(["signatureKindNotAllowed", 0]);
    const asPasskey = by(OWNER, { kind: "passkey" });
    expect(ruleBroken(inboxWith(), add(installation(1), asPasskey))).toEqual(["signatureKindNotAllowed", 0]);
    const asInstallation = by(passkey(1), { kind: "installationKey" });
    expect(ruleBroken(inboxWith(), add(passkey(1), by(OWNER), asInstallation))).toEqual(["signatureKindNotAllowed", 0]);
  });

  test("twice keeps one, added by whom it was added last", () => {
    const state = fold([create(OWNER)], [add(OTHER, by(OWNER))], [add(installation(1), by(OWNER))]);
    const again = fold(
      [create(OWNER)],
      [add(OTHER, by(OWNER))],
      [add(installation(1), by(OWNER))],
      [add(installation(1), by(OTHER))],
    );
    expect(membersOf(again)).toEqual(membersOf(state));
    expect(again.members.at(-1)?.addedBy).toEqual(OTHER);
  });

  test("may have legacy signatures only in the inbox that the wallet has with nonce 0", () => {
    expect(ruleBroken(inboxWith(), add(installation(1), legacy(1)))).toBe("none");
    expect(ruleBroken(inboxWith(), add(OTHER, by(OWNER), legacy(2)))).toBe("none");
    const nonce7 = inboxIdOf(OWNER, 7n);
    const created = applyUpdate(undefined, { ...update(create(OWNER, 7n)), inboxId: nonce7 });
    if (created.kind !== "state") throw new Error(created.message);
    for (const action of [add(installation(1), legacy(1)), add(OTHER, by(OWNER), legacy(2))]) {
      const applied = applyUpdate(created.state, { ...update(action), inboxId: nonce7 });
      expect(applied).toMatchObject({ kind: "refused", rule: "legacySignatureNotAllowed" });
    }
    expect(ruleBroken(inboxWith(OTHER), add(installation(1), legacy(2)))).toEqual(["legacySignatureNotAllowed", 0]);
  });

  test("an installation beyond the limit is refused, until one is revoked", () => {
    const all = Array.from({ length: IDENTITY_LIMITS.installations }, (_, nth) => installation(nth + 1));
    const full = inboxWith(...all);
    expect(ruleBroken(full, add(installation(200), by(OWNER)))).toEqual(["tooManyInstallations", 0]);
    expect(ruleBroken(full, add(OTHER, by(OWNER)))).toBe("none");
    expect(ruleBroken(full, add(installation(1), by(OWNER)))).toBe("none");
    const signature = by(OWNER);
    expect(ruleBroken(full, revoke(installation(3), signature), add(installation(200), signature))).toBe("none");
  });
});

describe("chains", () => {
  const wallet = fold([create(OWNER, 0n, onChain(1, 8453n))]);

  test("a contract wallet signs from the chain it came with", () => {
    expect(ruleBroken(wallet, add(installation(1), onChain(1, 8453n)))).toBe("none");
    expect(ruleBroken(wallet, add(installation(1), onChain(1, 1n)))).toEqual(["chainIdMismatch", 0]);
    expect(ruleBroken(wallet, revoke(OTHER, onChain(1, 1n)))).toEqual(["chainIdMismatch", 0]);
    expect(ruleBroken(wallet, changeRecovery(OTHER, onChain(1, 1n)))).toEqual(["chainIdMismatch", 0]);
  });

  test("a contract wallet never becomes a key, nor a key a contract wallet", () => {
    expect(ruleBroken(wallet, add(installation(1), by(OWNER)))).toEqual(["chainIdMismatch", 0]);
    expect(ruleBroken(inboxWith(), add(installation(1), onChain(1, 1n)))).toEqual(["chainIdMismatch", 0]);
  });

  test("a recovery identifier that is no member may sign from any", () => {
    const state = fold([create(OWNER)], [changeRecovery(OTHER, by(OWNER))]);
    expect(ruleBroken(state, revoke(OWNER, onChain(2, 5n)))).toBe("none");
  });
});

describe("revoking a member", () => {
  test("takes the installations that it had added along, and leaves accounts that it had added", () => {
    const state = fold(
      [create(OWNER)],
      [add(OTHER, by(OWNER))],
      [add(installation(1), by(OWNER))],
      [add(installation(2), by(OTHER))],
      [add(address(3), by(OTHER))],
      [add(passkey(4), by(OTHER))],
      [revoke(OTHER, by(OWNER))],
    );
    expect(membersOf(state)).toEqual([OWNER, installation(1), address(3), passkey(4)].map(memberKey));
  });

  test("leaves the children of children", () => {
    const state = fold(
      [create(OWNER)],
      [add(OTHER, by(OWNER))],
      [add(address(3), by(OTHER))],
      [add(installation(1), by(address(3)))],
      [revoke(OTHER, by(OWNER))],
    );
    expect(membersOf(state)).toEqual([OWNER, address(3), installation(1)].map(memberKey));
  });

  test("can be done by the recovery identifier only", () => {
    const state = inboxWith(OTHER, installation(1));
    for (const signer of [OTHER, installation(1), STRANGER]) {
      expect(ruleBroken(state, revoke(installation(1), by(signer)))).toEqual(["signerIsNotTheRecoveryIdentifier", 0]);
    }
    expect(ruleBroken(state, revoke(OTHER, legacy(1)))).toEqual(["legacySignatureNotAllowed", 0]);
  });

  test("that is none is fine, as often as one likes", () => {
    const state = inboxWith(OTHER);
    expect(ruleBroken(state, revoke(STRANGER, by(OWNER)))).toBe("none");
    const gone = fold([create(OWNER)], [add(OTHER, by(OWNER))], [revoke(OTHER, by(OWNER))], [revoke(OTHER, by(OWNER))]);
    expect(membersOf(gone)).toEqual([memberKey(OWNER)]);
  });

  test("may be done to the recovery identifier itself, which recovers the inbox all the same", () => {
    const state = fold([create(OWNER)], [add(installation(1), by(OWNER))], [revoke(OWNER, by(OWNER))]);
    expect(membersOf(state)).toEqual([]);
    expect(state.recoveryIdentifier).toEqual(OWNER);
    expect(ruleBroken(state, add(OWNER, by(OWNER)))).toEqual(["addsItself", 0]);
    expect(ruleBroken(state, add(installation(2), by(OWNER)))).toBe("none");
  });
});

describe("changing the recovery identifier", () => {
  test("hands the inbox to another, from the next action on", () => {
    const state = inboxWith(OTHER);
    expect(ruleBroken(state, changeRecovery(OTHER, by(OWNER)), revoke(OWNER, by(OTHER)))).toBe("none");
    expect(ruleBroken(state, changeRecovery(OTHER, by(OWNER)), revoke(OTHER, by(OWNER)))).toEqual([
      "signerIsNotTheRecoveryIdentifier",
      1,
    ]);
  });

  test("can be done by the present one only, with a signature of its own", () => {
    const state = inboxWith(OTHER, installation(1));
    for (const signer of [OTHER, installation(1), STRANGER]) {
      expect(ruleBroken(state, changeRecovery(OTHER, by(signer)))).toEqual(["signerIsNotTheRecoveryIdentifier", 0]);
    }
    expect(ruleBroken(state, changeRecovery(OTHER, legacy(1)))).toEqual(["legacySignatureNotAllowed", 0]);
  });
});

describe("replays", () => {
  const first = by(OWNER);
  const added = fold([create(OWNER)], [add(installation(1), first)]);
  const revoked = fold([create(OWNER)], [add(installation(1), first)], [revoke(installation(1), by(OWNER))]);

  test("a signature of an earlier update is refused, whatever it is used for", () => {
    expect(ruleBroken(added, add(installation(1), first))).toEqual(["replayedSignature", 0]);
    expect(ruleBroken(added, revoke(installation(1), first))).toEqual(["replayedSignature", 0]);
    expect(ruleBroken(added, changeRecovery(OTHER, first))).toEqual(["replayedSignature", 0]);
    expect(ruleBroken(revoked, add(installation(1), first))).toEqual(["replayedSignature", 0]);
  });

  test("so is the new member's signature, and one in a later action", () => {
    const own = by(OTHER);
    const state = fold([create(OWNER)], [add(OTHER, by(OWNER), own)]);
    expect(ruleBroken(state, add(OTHER, by(OWNER), own))).toEqual(["replayedSignature", 0]);
    expect(ruleBroken(state, add(installation(1), by(OWNER)), add(OTHER, by(OWNER), own))).toEqual([
      "replayedSignature",
      1,
    ]);
  });

  test("any one of a signature's keys is enough to know it again", () => {
    const bent = { ...by(OWNER), replayKeys: ["new bytes", ...first.replayKeys] };
    expect(ruleBroken(added, add(installation(2), bent))).toEqual(["replayedSignature", 0]);
  });
});

describe("an update as a whole", () => {
  test("applies all of its actions or none", () => {
    const state = inboxWith(OTHER);
    const before = structuredClone(state);
    expect(ruleBroken(state, add(installation(1), by(OWNER)), revoke(OTHER, by(STRANGER)))).toEqual([
      "signerIsNotTheRecoveryIdentifier",
      1,
    ]);
    expect(state).toEqual(before);
  });

  test("of another inbox is refused", () => {
    const foreign = { ...update(add(installation(1), by(OWNER))), inboxId: inboxIdOf(OTHER, 0n) };
    expect(applyUpdate(inboxWith(), foreign)).toMatchObject({
      kind: "refused",
      rule: "wrongInboxId",
      action: undefined,
    });
  });

  test("without actions is refused, as is one with more than anybody needs", () => {
    expect(ruleBroken(inboxWith(), ...[])).toEqual(["noActions", undefined]);
    const many = (count: number) => Array.from({ length: count }, () => revoke(STRANGER, by(OWNER)));
    expect(ruleBroken(inboxWith(), ...many(IDENTITY_LIMITS.actions))).toBe("none");
    expect(ruleBroken(inboxWith(), ...many(IDENTITY_LIMITS.actions + 1))).toEqual(["tooManyActions", undefined]);
  });

  test("is the last one after 256", () => {
    const full = { ...inboxWith(), updates: IDENTITY_LIMITS.updates - 1 };
    const last = applyUpdate(full, update(add(installation(1), by(OWNER))));
    if (last.kind !== "state") throw new Error(last.message);
    expect(last.state.updates).toBe(256);
    expect(ruleBroken(last.state, revoke(installation(1), by(OWNER)))).toEqual(["tooManyUpdates", undefined]);
  });

  test.each([
    [create({ kind: "ethereum", address: "0xABCDEFabcdefABCDEFabcdefABCDEFabcdefABCD" })],
    [add({ kind: "ethereum", address: "1".repeat(40) }, by(OWNER))],
    [add({ kind: "installation", key: new Uint8Array(31) }, by(OWNER))],
    [add({ kind: "passkey", key: new Uint8Array(33), relyingParty: undefined }, by(OWNER))],
    [revoke({ kind: "ethereum", address: `0x${"A".repeat(40)}` }, by(OWNER))],
    [changeRecovery({ kind: "ethereum", address: `0x${"A".repeat(40)}` }, by(OWNER))],
    [changeRecovery({ kind: "passkey", key: Uint8Array.of(4, 1), relyingParty: undefined }, by(OWNER))],
  ] as const satisfies readonly (readonly [VerifiedAction])[])(
    "%# about an identifier nobody can have is refused",
    (action) => {
      expect(ruleBroken(inboxWith(), add(OTHER, by(OWNER)), action)).toEqual(["malformedIdentifier", 1]);
    },
  );

  test("that is refused says which rule, which action, what was wanted and what was found", () => {
    const applied = applyUpdate(inboxWith(), update(add(OTHER, by(OWNER)), add(installation(1), by(STRANGER))));
    expect(applied.kind === "refused" ? applied.message : "").toBe(
      `identity update refused (signerIsNotAMember): action 1 (addAssociation): wanted the signature of a member or of the recovery identifier ${memberKey(OWNER)}, found ${memberKey(STRANGER)}`,
    );
  });
});
