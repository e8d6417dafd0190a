import { describe, expect, test } from "bun:test";
import { signatureText } from "../../../src/mls/association/text";
import { decodeRecorded, RECORDED_UPDATES } from "../recorded/node-sdk";
import {
  add,
  address,
  by,
  changeRecovery,
  create,
  INBOX,
  installation,
  OWNER,
  passkey,
  revoke,
  update,
} from "./verified";

const LINE = "00000000000000000000000000000000000000";
const POINT = `02${"05".repeat(32)}`;

describe("the text that is signed", () => {
  test.each(RECORDED_UPDATES.map(({ text, update }) => [text.split("\n").at(5) ?? "", text, update] as const))(
    "of an update of a real SDK is what its signer was given: %s",
    (_, text, bytes) => {
      expect(signatureText(decodeRecorded(bytes))).toBe(text);
    },
  );

  test("names every action in order, whatever it is about", () => {
    const everything = update(
      create(OWNER),
      add(installation(0xab), by(OWNER)),
      add(address(2), by(OWNER)),
      add(passkey(5), by(OWNER)),
      revoke(installation(0xab), by(OWNER)),
      revoke(address(2), by(OWNER)),
      revoke(passkey(5), by(OWNER)),
      changeRecovery(address(3), by(OWNER)),
      changeRecovery(passkey(5), by(OWNER)),
    );
    expect(signatureText(everything).split("\n")).toEqual([
      "XMTP : Authenticate to inbox",
      "",
      `Inbox ID: ${INBOX}`,
      "Current time: 2023-11-14T22:13:20Z",
      "",
      "- Create inbox",
      `  (Owner: 0x${LINE}01)`,
      "- Grant messaging access to app",
      `  (ID: ${"ab".repeat(32)})`,
      "- Link address to inbox",
      `  (Address: 0x${LINE}02)`,
      "- Link passkey to inbox",
      `  (Passkey: ${POINT})`,
      "- Revoke messaging access from app",
      `  (ID: ${"ab".repeat(32)})`,
      "- Unlink address from inbox",
      `  (Address: 0x${LINE}02)`,
      "- Unlink passkey from inbox",
      `  (Passkey: ${POINT})`,
      "- Change inbox recovery address",
      `  (Address: 0x${LINE}03)`,
      "- Change inbox recovery address",
      `  (Address: ${POINT})`,
      "",
      "For more info: https://xmtp.org/signatures",
    ]);
  });

  test.each([
    [0n, "1970-01-01T00:00:00Z"],
    [999_999_999n, "1970-01-01T00:00:00Z"],
    [1_700_000_000_999_999_999n, "2023-11-14T22:13:20Z"],
    [2n ** 63n - 1n, "2262-04-11T23:47:16Z"],
    [2n ** 63n, "1677-09-21T00:12:43Z"],
    [2n ** 64n - 1n, "1969-12-31T23:59:59Z"],
  ])("has the time %d ns in whole seconds: %s", (clientTimestampNs, written) => {
    const text = signatureText({ ...update(create(OWNER)), clientTimestampNs });
    expect(text.split("\n")[3]).toBe(`Current time: ${written}`);
  });
});
