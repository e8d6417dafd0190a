import { describe, expect, test } from "bun:test";
import { decodeState, encodeState, STATE_VERSION } from "../../../src/mls/association/state-codec";
import { add, address, by, changeRecovery, create, fold, installation, OWNER, passkey } from "./verified";

const STATE = fold(
  [create(OWNER)],
  [add(installation(1), by(OWNER))],
  [add(passkey(2, "https://app.example"), by(OWNER))],
  [add(passkey(3), by(passkey(2)))],
  [add(address(4), by(OWNER), by(address(4), { kind: "contractWallet", chainId: 2n ** 64n - 1n }))],
  [changeRecovery(passkey(2), by(OWNER))],
);

describe("a stored state", () => {
  test("comes back as it was", () => {
    expect(decodeState(encodeState(STATE))).toEqual({ kind: "state", state: STATE });
  });

  test("of another version is said to be one", () => {
    const other = Buffer.from(JSON.stringify({ version: STATE_VERSION + 1 }));
    expect(decodeState(other)).toEqual({ kind: "otherVersion", version: STATE_VERSION + 1 });
  });

  test.each([
    ["a text", { inboxId: 5 }],
    ["a list", { members: {} }],
    ["a list", { seen: "all" }],
    ["a kind of identifier", { recovery: { kind: "phone" } }],
    ["a recovery identifier that is an account", { recovery: { kind: "installation", key: "00" } }],
  ] as const)("that is damaged (%s) is an error of ours", (wanted, change) => {
    const fields: unknown = JSON.parse(Buffer.from(encodeState(STATE)).toString());
    const damaged = Buffer.from(JSON.stringify(Object.assign({}, fields, change)));
    expect(() => decodeState(damaged)).toThrow(`wanted ${wanted}`);
  });
});
