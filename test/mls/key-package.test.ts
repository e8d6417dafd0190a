import { describe, expect, test } from "bun:test";
import { checkKeyPackage, type KeyPackageRule, LIFETIME_SKEW_MS } from "../../src/mls/key-package";
import { credentialOf, type KeyPackageChanges, makeInstallationKeys, makeKeyPackage } from "../support/key-packages";
import { RECORDED_AT_MS, RECORDED_KEY_PACKAGE } from "./recorded/node-sdk";

const NOW_MS = Date.UTC(2026, 0, 1);
const NOW_S = BigInt(NOW_MS / 1_000);
const SKEW_S = BigInt(LIFETIME_SKEW_MS / 1_000);
const keys = makeInstallationKeys();

async function check(changes: KeyPackageChanges) {
  return await checkKeyPackage(await makeKeyPackage(keys, changes), NOW_MS);
}

async function ruleBroken(data: Uint8Array, nowMs: number): Promise<KeyPackageRule | "none"> {
  const checked = await checkKeyPackage(data, nowMs);
  return checked.kind === "invalid" ? checked.rule : "none";
}

describe("a key package of a real SDK", () => {
  test("is valid, and says whose it is", async () => {
    const checked = await checkKeyPackage(RECORDED_KEY_PACKAGE, RECORDED_AT_MS);
    expect(checked).toMatchObject({
      kind: "valid",
      inboxId: "45915bad9a857a62ceed43a7573d3eef87966c96961128c520dc1c5d6fa5d38b",
      notAfter: 1_802_956_088n,
    });
    if (checked.kind !== "valid") throw new Error("it is not valid");
    expect(Buffer.from(checked.installationKey).toString("hex")).toBe(
      "c226e781ad3d18f48541eb2ea6eedcc879c36ffc9db33919518edd3afdb09ed4",
    );
  });

  test("carries a post-quantum key, so that its size is more than a kilobyte", () => {
    expect(RECORDED_KEY_PACKAGE.length).toBe(1_663);
  });

  test("is refused with any one byte changed", async () => {
    for (let offset = 0; offset < RECORDED_KEY_PACKAGE.length; offset++) {
      const tampered = Uint8Array.from(RECORDED_KEY_PACKAGE);
      tampered[offset] = (tampered[offset] ?? 0) ^ 1;
      if ((await ruleBroken(tampered, RECORDED_AT_MS)) === "none") throw new Error(`byte ${offset} does not matter`);
    }
  });

  test("is refused cut off anywhere, and with a byte too many", async () => {
    for (let length = 0; length < RECORDED_KEY_PACKAGE.length; length++) {
      expect(await ruleBroken(RECORDED_KEY_PACKAGE.subarray(0, length), RECORDED_AT_MS)).toBe("malformed");
    }
    const longer = Uint8Array.of(...RECORDED_KEY_PACKAGE, 0);
    const checked = await checkKeyPackage(longer, RECORDED_AT_MS);
    expect(checked).toMatchObject({ kind: "invalid", rule: "malformed" });
    expect(JSON.stringify(checked)).toContain("found 1 bytes after its end at byte 1663");
  });

  test("is refused once it has expired, and before it begins", async () => {
    const checked = await checkKeyPackage(RECORDED_KEY_PACKAGE, RECORDED_AT_MS + 85 * 86_400_000);
    expect(checked).toMatchObject({ kind: "invalid", rule: "lifetime" });
    expect(await ruleBroken(RECORDED_KEY_PACKAGE, RECORDED_AT_MS - 2 * 3_600_000)).toBe("lifetime");
  });
});

describe("a key package that is signed as it should be", () => {
  test("is valid when nothing is wrong with it", async () => {
    expect(await check({})).toMatchObject({ kind: "valid", installationKey: keys.publicKey, inboxId: "0".repeat(64) });
  });

  test.each([
    ["ciphersuite", { tbs: { cipherSuite: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519" } }],
    ["keys", { tbs: { initKey: new Uint8Array(31) } }],
    ["keys", { leaf: { hpkePublicKey: new Uint8Array(33) } }],
    ["keys", { leaf: { signaturePublicKey: new Uint8Array(31) } }],
    ["keys", { tbs: { initKey: new Uint8Array(32).fill(1) } }],
    ["credential", { leaf: { credential: { credentialType: "x509", certificates: [] } } }],
    ["credential", { identity: new Uint8Array() }],
    ["credential", { identity: Buffer.from("0".repeat(64)) }],
    ["credential", { identity: credentialOf("0".repeat(63)) }],
    ["credential", { identity: credentialOf("F".repeat(64)) }],
    ["credential", { identity: Uint8Array.of(...credentialOf("0".repeat(64)), 10) }],
    ["extensions", { leaf: { extensions: [{ extensionType: 65_283, extensionData: new Uint8Array() }] } }],
    [
      "extensions",
      {
        tbs: {
          extensions: [
            { extensionType: 65_283, extensionData: new Uint8Array() },
            { extensionType: 65_283, extensionData: new Uint8Array(1) },
          ],
        },
      },
    ],
    ["leafSignature", { leafSignature: new Uint8Array(64) }],
    ["leafSignature", { leafSignature: new Uint8Array(63) }],
    ["leafSignature", { leaf: { signaturePublicKey: new Uint8Array(32).fill(0xff) } }],
  ] as const satisfies readonly (readonly [KeyPackageRule, KeyPackageChanges])[])(
    "%# is refused (%s) when that is wrong",
    async (rule, changes) => {
      const checked = await check(changes);
      expect(checked).toMatchObject({ kind: "invalid", rule });
      if (checked.kind === "invalid") expect(checked.message).toStartWith(`key package refused (${rule}): `);
    },
  );

  test("is refused by the package's own signature when only that one is wrong", async () => {
    const data = Uint8Array.from(await makeKeyPackage(keys, {}));
    data[data.length - 1] = (data[data.length - 1] ?? 0) ^ 1;
    expect(await ruleBroken(data, NOW_MS)).toBe("signature");
  });

  test("is refused when somebody else's leaf is in it", async () => {
    const [mine, others] = [makeInstallationKeys(), makeInstallationKeys()];
    const changes = { leaf: { signaturePublicKey: others.publicKey } };
    expect(await ruleBroken(await makeKeyPackage(mine, changes), NOW_MS)).toBe("leafSignature");
  });

  test.each([
    ["begins as late as the skew allows", NOW_S + SKEW_S, NOW_S + 1_000n, "none"],
    ["begins a second later", NOW_S + SKEW_S + 1n, NOW_S + 1_000n, "lifetime"],
    ["ends now", 0n, NOW_S, "none"],
    ["ended a second ago", 0n, NOW_S - 1n, "lifetime"],
    ["ends before it begins", NOW_S, NOW_S - 1n, "lifetime"],
    ["lasts for ever", 0n, 2n ** 64n - 1n, "none"],
  ] as const)("with a lifetime that %s", async (_, notBefore, notAfter, rule) => {
    const data = await makeKeyPackage(keys, { leaf: { lifetime: { notBefore, notAfter } } });
    expect(await ruleBroken(data, NOW_MS)).toBe(rule);
  });

  test("is refused with a length in more bytes than it needs", async () => {
    const data = await makeKeyPackage(keys, {});
    // The last vector is the signature: a length of 64 in two bytes, which four can hold as well.
    const at = data.length - 66;
    expect([...data.subarray(at, at + 2)]).toEqual([0x40, 64]);
    const longer = Uint8Array.of(...data.subarray(0, at), 0x80, 0, 0, 64, ...data.subarray(at + 2));
    expect(await ruleBroken(longer, NOW_MS)).toBe("malformed");
  });
});

test("bytes that are anything else are refused and never throw", async () => {
  const inputs = [
    new Uint8Array(),
    new Uint8Array(2_000),
    new Uint8Array(2_000).fill(0xff),
    Buffer.from("a key package"),
  ];
  for (const input of inputs) expect(await ruleBroken(input, NOW_MS)).toBe("malformed");
});
