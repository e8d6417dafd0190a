import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { type Client, Code, createClient, createConnectRouter, createRouterTransport } from "@connectrpc/connect";
import { type PublishDeps, sendGroupMessages } from "../../src/serve/api/publish";
import { registerServices, unimplementedMessage } from "../../src/serve/api/services";
import { StoreError } from "../../src/store/error";
import type { NewMessage } from "../../src/store/types";
import { IdentityApi } from "../../src/wire/gen/identity/api/v1/identity_pb";
import { MlsApi, SendGroupMessagesRequestSchema } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { WelcomePointerWrapperAlgorithm } from "../../src/wire/gen/mls/message_contents/welcome_pointer_pb";
import { WelcomeWrapperAlgorithm } from "../../src/wire/gen/mls/message_contents/wrapper_encryption_pb";
import { callError } from "../support/failure";
import { groupMessage, groupMessages, MAX_MESSAGE_BYTES, mlsMessage, openNode, type TestNode } from "./mls-api-node";

let node: TestNode;
beforeAll(async () => {
  node = await openNode();
});
afterAll(async () => node[Symbol.asyncDispose]());

/** A client of services that publish in another way. */
function clientOf(publish: PublishDeps): Client<typeof MlsApi> {
  return createClient(
    MlsApi,
    createRouterTransport((router) => registerServices(router, { ...node.deps, publish })),
  );
}

async function texts(groupId: Uint8Array): Promise<readonly string[]> {
  const { messages } = await node.client.queryGroupMessages({ groupId, pagingInfo: { direction: 1 } });
  return messages.map(({ version }) => {
    const data = version.value?.data ?? new Uint8Array();
    return new TextDecoder().decode(data.subarray(TEXT_AT + groupId.length));
  });
}

/** Where a short text begins in a message of ours, apart from the group id. */
const TEXT_AT = 17;
const KEY = new Uint8Array(32).fill(7);
const XWING = WelcomePointerWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6;

describe("SendGroupMessages", () => {
  test("stores what was published as it was, with what the MLS message says of itself", async () => {
    const groupId = Uint8Array.of(1, 0, 255);
    const data = mlsMessage(groupId, "hello");
    const value = { data, senderHmac: Uint8Array.of(9, 8), shouldPush: true };
    await node.client.sendGroupMessages({ messages: [{ version: { case: "v1", value } }] });
    const { messages } = await node.client.queryGroupMessages({ groupId });
    expect(messages).toHaveLength(1);
    expect(messages[0]?.version.value).toMatchObject({ groupId, ...value, isCommit: false });
    expect(messages[0]?.version.value?.id).toBeGreaterThan(0n);
    const ageNs = BigInt(Date.now()) * 1_000_000n - (messages[0]?.version.value?.createdNs ?? 0n);
    expect(ageNs < 60_000_000_000n && ageNs > -1_000_000_000n).toBe(true);
  });

  test.each([
    ["application", false],
    ["proposal", true],
    ["commit", true],
  ] as const)("is_commit of %s is %p", async (contentType, isCommit) => {
    const groupId = new TextEncoder().encode(`content ${contentType}`);
    const value = { data: mlsMessage(groupId, "x", contentType) };
    await node.client.sendGroupMessages({ messages: [{ version: { case: "v1", value } }] });
    const { messages } = await node.client.queryGroupMessages({ groupId });
    expect(messages[0]?.version.value?.isCommit).toBe(isCommit);
  });

  test("a repeat of the same (group, data) succeeds without a new row", async () => {
    const groupId = Uint8Array.of(2);
    await node.client.sendGroupMessages(groupMessages(groupId, "once"));
    await node.client.sendGroupMessages(groupMessages(groupId, "once", "once", "twice"));
    expect(await texts(groupId)).toEqual(["once", "twice"]);
  });

  test("the same payload in another group is another message", async () => {
    const [one, two] = [Uint8Array.of(3, 1), Uint8Array.of(3, 2)];
    await node.client.sendGroupMessages({
      messages: [...groupMessages(one, "x").messages, ...groupMessages(two, "x").messages],
    });
    expect([await texts(one), await texts(two)]).toEqual([["x"], ["x"]]);
  });

  test("stores all messages of a request or none, and says which one is wrong and why", async () => {
    const groupId = Uint8Array.of(4);
    const cut = mlsMessage(groupId, "cut").subarray(0, -1);
    const fine = groupMessages(groupId, "a", "b").messages;
    const error = await callError(node.client.sendGroupMessages({ messages: [...fine, groupMessage({ data: cut })] }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toBe(
      "messages[2].v1.data: not an MLS PrivateMessage: ciphertext at byte 17: " +
        "wanted 3 bytes after the length, found 2 bytes and the end of the input",
    );
    expect(await texts(groupId)).toEqual([]);
  });

  test.each([
    ["no messages", { messages: [] }, "messages: wanted at least 1, found none"],
    ["no version", { messages: [{}] }, "messages[0]: wanted v1, found no known version"],
    [
      "an empty group id",
      groupMessages(new Uint8Array(), "x"),
      "messages[0].v1.data: group_id: wanted 1 to 1023 bytes, found 0",
    ],
    [
      "a group id that is too long",
      groupMessages(new Uint8Array(1_024), "x"),
      "messages[0].v1.data: group_id: wanted 1 to 1023 bytes, found 1024",
    ],
  ])("refuses %s", async (_, request, words) => {
    const error = await callError(node.client.sendGroupMessages(request));
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, words]);
  });

  test("takes a payload of exactly the limit, and refuses one byte more by naming both", async () => {
    const groupId = Uint8Array.of(5);
    const overhead = mlsMessage(groupId, "x".repeat(MAX_MESSAGE_BYTES / 2)).length - MAX_MESSAGE_BYTES / 2;
    const most = "x".repeat(MAX_MESSAGE_BYTES - overhead);
    await node.client.sendGroupMessages(groupMessages(groupId, most));
    expect(await texts(groupId)).toHaveLength(1);
    const error = await callError(node.client.sendGroupMessages(groupMessages(groupId, `${most}x`)));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toBe("messages[0].v1.data: wanted at most 100000 bytes, found 100001");
    const beside = { data: mlsMessage(groupId, "y"), senderHmac: new Uint8Array(70_000) };
    const wide = await callError(node.client.sendGroupMessages({ messages: [groupMessage(beside)] }));
    expect(wide.rawMessage).toContain("messages[0].v1.data: wanted at most 65536 bytes in all fields beside it");
  });

  test("a message is in this node's tail when its publisher is told", async () => {
    const head = node.feed.tail.headIds[0];
    await node.client.sendGroupMessages(groupMessages(Uint8Array.of(6), "1", "2"));
    expect(node.feed.tail.headIds[0]).toBe(head + 2n);
  });
});

describe("SendWelcomeMessages", () => {
  const v1 = {
    installationKey: KEY,
    data: Uint8Array.of(1),
    hpkePublicKey: Uint8Array.of(2),
    wrapperAlgorithm: WelcomeWrapperAlgorithm.CURVE25519,
    welcomeMetadata: Uint8Array.of(3),
  };
  const pointer = {
    installationKey: KEY,
    welcomePointer: Uint8Array.of(4),
    hpkePublicKey: Uint8Array.of(5),
    wrapperAlgorithm: XWING,
  };
  const send = (...versions: readonly ({ case: "v1"; value: object } | { case: "welcomePointer"; value: object })[]) =>
    node.client.sendWelcomeMessages({ messages: versions.map((version) => ({ version })) });

  test("stores both kinds as they were, in a sequence of their own", async () => {
    await send({ case: "v1", value: v1 }, { case: "welcomePointer", value: pointer });
    const { messages } = await node.client.queryWelcomeMessages({ installationKey: KEY, pagingInfo: { direction: 1 } });
    expect(messages.map(({ version }) => version.case)).toEqual(["v1", "welcomePointer"]);
    expect(messages[0]?.version.value).toMatchObject({ id: 1n, ...v1 });
    expect(messages[1]?.version.value).toMatchObject({ id: 2n, ...pointer });
  });

  test("SYMMETRIC_KEY needs no HPKE key", async () => {
    const installationKey = Uint8Array.of(11);
    const wrapperAlgorithm = WelcomeWrapperAlgorithm.SYMMETRIC_KEY;
    await send({ case: "v1", value: { installationKey, data: Uint8Array.of(1), wrapperAlgorithm } });
    expect((await node.client.queryWelcomeMessages({ installationKey })).messages).toHaveLength(1);
  });

  const none = new Uint8Array();
  test.each([
    [{ case: "v1", value: { ...v1, installationKey: none } }, "v1.installation_key: wanted 1 to 1023 bytes, found 0"],
    [{ case: "v1", value: { ...v1, data: none } }, "v1.data: wanted at least 1 byte, found none"],
    [
      { case: "v1", value: { ...v1, hpkePublicKey: none } },
      "v1.hpke_public_key (the algorithm is not SYMMETRIC_KEY): wanted at least 1 byte, found none",
    ],
    [
      { case: "welcomePointer", value: { ...pointer, installationKey: new Uint8Array(1_024) } },
      "welcome_pointer.installation_key: wanted 1 to 1023 bytes, found 1024",
    ],
    [
      { case: "welcomePointer", value: { ...pointer, welcomePointer: none } },
      "welcome_pointer.welcome_pointer: wanted at least 1 byte, found none",
    ],
    [
      { case: "welcomePointer", value: { ...pointer, hpkePublicKey: none } },
      "welcome_pointer.hpke_public_key: wanted at least 1 byte, found none",
    ],
    [
      { case: "welcomePointer", value: { ...pointer, wrapperAlgorithm: 0 } },
      "welcome_pointer.wrapper_algorithm: wanted 2 (XWING_MLKEM_768_DRAFT_6), found 0",
    ],
  ] as const)("%# refuses what lacks a part", async (version, words) => {
    const error = await callError(send({ case: "v1", value: { ...v1, data: Uint8Array.of(99) } }, version));
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, `messages[1].${words}`]);
  });

  test("none of the refused requests left anything behind", async () => {
    const { messages } = await node.client.queryWelcomeMessages({ installationKey: KEY });
    expect(messages).toHaveLength(2);
  });
});

describe("what the store says", () => {
  test.each([
    ["full", Code.ResourceExhausted],
    ["unreachable", Code.Unavailable],
    ["refused", Code.InvalidArgument],
    ["incompatible", Code.FailedPrecondition],
  ] as const)("a store that is %s makes status %d, and is counted", async (fault, code) => {
    const publish = (_: readonly NewMessage[]) => Promise.reject(new StoreError(fault, `the store is ${fault}`));
    const failing = { ...node.deps.publish, feed: { publish } };
    const request = create(SendGroupMessagesRequestSchema, groupMessages(Uint8Array.of(1), fault));
    await expect(sendGroupMessages(failing, request)).rejects.toThrow(StoreError);
    const error = await callError(clientOf(failing).sendGroupMessages(request));
    expect([error.code, error.rawMessage]).toEqual([code, `the store is ${fault}`]);
  });

  test("what nobody foresaw is internal, and its words stay here", async () => {
    const publish = () => Promise.reject(new TypeError("secret"));
    const error = await callError(
      clientOf({ ...node.deps.publish, feed: { publish } }).sendGroupMessages(groupMessages(KEY, "y")),
    );
    expect([error.code, error.rawMessage]).toEqual([Code.Internal, "internal error"]);
  });
});

describe("what is served", () => {
  test("all RPCs but the three that nobody calls", () => {
    const router = createConnectRouter();
    registerServices(router, node.deps);
    const dead = ["RegisterInstallation", "RevokeInstallation", "GetIdentityUpdates"];
    const wanted = [...MlsApi.methods.filter(({ name }) => !dead.includes(name)), ...IdentityApi.methods].map(
      ({ parent, name }) => `/${parent.typeName}/${name}`,
    );
    expect(router.handlers.map(({ requestPath }) => requestPath).sort()).toEqual(wanted.sort());
  });

  test("everything else has words (C-7)", () => {
    expect(unimplementedMessage("/xmtp.mls.api.v1.MlsApi/RegisterInstallation")).toContain("not part of the network");
    expect(unimplementedMessage("/xmtp.identity.api.v1.IdentityApi/NoSuchMethod")).toContain("does not serve this RPC");
  });
});
