import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { clone, create } from "@bufbuild/protobuf";
import { wrapPayload } from "../../../src/cli/payload";
import {
  type IdentityUpdate,
  IdentityUpdateSchema,
  MemberIdentifierSchema,
} from "../../../src/wire/gen/identity/associations/association_pb";
import { credentialOf, makeInstallationKeys, makeKeyPackage } from "../../support/key-packages";
import { type App, type AppClient, nodeApp } from "./app";
import { Attacker, hexBytes } from "./attacker";
import { SdkNode } from "./sdk-node";
import { describeSdk, installSdks } from "./suite";

/** Beyond what one message may have. */
const TOO_LARGE_BYTES = 3 * 1024 * 1024 + 1;

installSdks();

describeSdk("a node that is attacked while people use it", () => {
  let node: SdkNode;
  let app: App;
  let mallory: Attacker;
  let alice: AppClient;
  let bob: AppClient;
  let eve: AppClient;
  let group = "";
  const said: string[] = [];

  beforeAll(async () => {
    node = await SdkNode.start();
    app = nodeApp({ url: node.url, bidi: true });
    mallory = new Attacker(node.url);
    alice = await app.client();
    bob = await app.client();
    eve = await app.client();
    group = await alice.group([bob]);
  });

  afterAll(async () => {
    await app?.[Symbol.asyncDispose]();
    await node?.[Symbol.asyncDispose]();
  });

  /** After each attack everybody's client still does everything it did before. */
  afterEach(async () => {
    const words = `still fine ${said.length}`;
    const carol = await app.client();
    expect(await carol.canMessage([alice.address, bob.address])).toEqual({
      [alice.address]: true,
      [bob.address]: true,
    });
    await alice.addMembers(group, [carol]);
    await bob.sync();
    await bob.send(group, words);
    said.push(words);
    for (const member of [alice, bob, carol]) await member.sync();
    expect(await alice.texts(group)).toEqual(said);
    expect(await bob.texts(group)).toEqual(said);
    expect(await carol.texts(group)).toEqual([words]);
    const dm = await carol.dm(alice);
    await carol.send(dm, words);
    await alice.sync();
    expect(await alice.texts(dm)).toEqual([words]);
    expect(await alice.inbox()).toEqual({ accounts: [alice.address], installations: [alice.installationId] });
  });

  test("an identity update is published again", async () => {
    const [registration] = await mallory.updatesOf(alice.inboxId);
    expect(await mallory.publishUpdate(wanted(registration))).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/alreadyCreated.*createInbox/),
    });
    expect(await mallory.updatesOf(alice.inboxId)).toHaveLength(1);
  });

  test("an identity update is forged: another time, another installation, another inbox", async () => {
    const [hers] = await mallory.updatesOf(alice.inboxId);
    const [eves] = await mallory.updatesOf(eve.inboxId);
    const later = changed(wanted(hers), (update) => {
      update.clientTimestampNs += 1_000_000_000n;
      update.actions = update.actions.filter(({ kind }) => kind.case === "add");
    });
    expect(await mallory.publishUpdate(later)).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/badSignature.*addAssociation/),
    });

    const intruding = changed(wanted(hers), (update) => {
      update.actions = update.actions.filter(({ kind }) => kind.case === "add");
      for (const { kind } of update.actions)
        if (kind.case === "add")
          kind.value.newMemberIdentifier = create(MemberIdentifierSchema, { kind: installationOf(eve) });
    });
    expect(await mallory.publishUpdate(intruding)).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/badSignature.*addAssociation/),
    });

    const foreign = changed(wanted(eves), (update) => {
      update.inboxId = alice.inboxId;
    });
    expect(await mallory.publishUpdate(foreign)).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/badSignature.*addAssociation/),
    });

    const addedTo = changed(wanted(eves), (update) => {
      update.inboxId = alice.inboxId;
      update.actions = update.actions.filter(({ kind }) => kind.case === "add");
    });
    expect(await mallory.publishUpdate(addedTo)).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/badSignature.*addAssociation/),
    });
    expect(await mallory.updatesOf(alice.inboxId)).toHaveLength(1);
  });

  test("a revoked installation is added again by the update that once added it", async () => {
    const lost = await app.client(eve.wallet);
    const [, adding] = await mallory.updatesOf(eve.inboxId);
    await eve.revoke([lost.installationId]);
    expect(await mallory.publishUpdate(wanted(adding))).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/replayedSignature.*addAssociation/),
    });
    expect((await eve.inbox()).installations).toEqual([eve.installationId]);
  });

  test("somebody revokes what is not theirs, by their own signature of a revocation", async () => {
    const spare = await app.client(eve.wallet);
    await eve.revoke([spare.installationId]);
    const revoking = wanted((await mallory.updatesOf(eve.inboxId)).at(-1));
    const foreign = changed(revoking, (update) => {
      update.inboxId = alice.inboxId;
      for (const { kind } of update.actions)
        if (kind.case === "revoke")
          kind.value.memberToRevoke = create(MemberIdentifierSchema, { kind: installationOf(alice) });
    });
    expect(await mallory.publishUpdate(foreign)).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/signerIsNotTheRecoveryIdentifier.*revokeAssociation/),
    });
    expect((await alice.inbox()).installations).toEqual([alice.installationId]);
  });

  test("a key package is tampered with, cut, lengthened, or another's", async () => {
    const genuine = await mallory.keyPackageOf(bob.installationId);
    for (const at of [0, 3, 40, Math.floor(genuine.length / 2), genuine.length - 1]) {
      const tampered = genuine.slice();
      tampered[at] = (genuine[at] ?? 0) ^ 1;
      expect(await mallory.uploadKeyPackage(tampered)).toMatchObject({ code: "InvalidArgument" });
    }
    expect(await mallory.uploadKeyPackage(genuine.slice(0, -1))).toMatchObject({ code: "InvalidArgument" });
    expect(await mallory.uploadKeyPackage(Buffer.concat([genuine, Buffer.of(0)]))).toMatchObject({
      code: "InvalidArgument",
    });
    expect(await mallory.keyPackageOf(bob.installationId)).toEqual(genuine);
  });

  test("a key package has expired, or says it is of somebody else's installation", async () => {
    const keys = makeInstallationKeys();
    const identity = credentialOf(bob.inboxId);
    const expired = { notBefore: 0n, notAfter: BigInt(Math.floor(Date.now() / 1_000) - 3_600) };
    const old = await makeKeyPackage(keys, { identity, leaf: { lifetime: expired } });
    expect(await mallory.uploadKeyPackage(old)).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/lifetime.*upload a fresh one/),
    });
    const stolen = { identity, leaf: { signaturePublicKey: hexBytes(bob.installationId) } };
    expect(await mallory.uploadKeyPackage(await makeKeyPackage(keys, stolen))).toEqual({
      code: "InvalidArgument",
      words: expect.stringMatching(/signature/i),
    });
  });

  test("group messages are junk: nothing, noise, cut off, lengthened, of another version or type", async () => {
    const genuine = wanted((await mallory.messagesOf(group)).at(-1));
    const before = (await mallory.messagesOf(group)).length;
    const wrongVersion = genuine.slice();
    wrongVersion[1] = 2;
    const wrongFormat = genuine.slice();
    wrongFormat[3] = 1;
    for (const junk of [
      Buffer.alloc(0),
      randomBytes(200),
      genuine.slice(0, -1),
      Buffer.concat([genuine, Buffer.of(0)]),
      wrongVersion,
      wrongFormat,
      withContentType(genuine, 9),
    ])
      expect(await mallory.sendToGroup(junk)).toMatchObject({ code: "InvalidArgument" });
    // One bad message takes those with it that came in the same request.
    expect(await mallory.sendToGroup(withEpoch(genuine, 7n), randomBytes(9))).toMatchObject({
      code: "InvalidArgument",
    });
    expect(await mallory.messagesOf(group)).toHaveLength(before);
  });

  test("a group message is well-formed and nobody can decrypt it: it is taken, and does no harm", async () => {
    const genuine = wanted((await mallory.messagesOf(group)).at(-1));
    expect(await mallory.sendToGroup(withEpoch(genuine, 1_000n))).toBeUndefined();
    expect(await mallory.sendToGroup(withEpoch(genuine, 0n))).toBeUndefined();
    const flipped = genuine.slice();
    flipped[genuine.length - 1] = (genuine.at(-1) ?? 0) ^ 1;
    expect(await mallory.sendToGroup(flipped)).toBeUndefined();
  });

  test("welcomes are junk: without a key refused, else taken, and whoever gets them goes on", async () => {
    const nothing = new Uint8Array();
    expect(await mallory.sendWelcome(bob.installationId, nothing, nothing)).toMatchObject({ code: "InvalidArgument" });
    expect(await mallory.sendWelcome("", randomBytes(9), randomBytes(32))).toMatchObject({ code: "InvalidArgument" });
    for (let n = 0; n < 5; n++)
      expect(await mallory.sendWelcome(bob.installationId, randomBytes(500), randomBytes(32))).toBeUndefined();
    const invited = await alice.group([bob]);
    await alice.send(invited, "a real welcome");
    await bob.sync();
    expect(await bob.texts(invited)).toEqual(["a real welcome"]);
  });

  test("payloads are larger than anything may be", async () => {
    const large = Buffer.alloc(TOO_LARGE_BYTES);
    const words = expect.stringMatching(/wanted (at most|1 to) \d+ bytes, found 3\d+/);
    const refused = { code: "InvalidArgument", words };
    expect(await mallory.sendToGroup(wrapPayload(hexBytes(group), large))).toEqual(refused);
    expect(await mallory.uploadKeyPackage(large)).toEqual(refused);
    expect(await mallory.sendWelcome(bob.installationId, large, randomBytes(32))).toEqual(refused);
  });
});

/** Bytes before the group id's length: version (2) and wire format (2). */
const HEAD_BYTES = 4;
const EPOCH_BYTES = 8;

/** Where the epoch stands in an MLS message whose group id is shorter than 64 bytes. */
function epochAt(message: Uint8Array): number {
  return HEAD_BYTES + 1 + (message[HEAD_BYTES] ?? 0);
}

function withEpoch(message: Uint8Array, epoch: bigint): Uint8Array {
  const copy = Buffer.from(message);
  copy.writeBigUInt64BE(epoch, epochAt(message));
  return copy;
}

function withContentType(message: Uint8Array, contentType: number): Uint8Array {
  const copy = Buffer.from(message);
  copy.writeUInt8(contentType, epochAt(message) + EPOCH_BYTES);
  return copy;
}

function wanted<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("nothing is there to attack with");
  return value;
}

function installationOf({ installationId }: AppClient) {
  return { case: "installationPublicKey", value: hexBytes(installationId) } as const;
}

function changed(update: IdentityUpdate, change: (copy: IdentityUpdate) => void): IdentityUpdate {
  const copy = clone(IdentityUpdateSchema, update);
  change(copy);
  return copy;
}
