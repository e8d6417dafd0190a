import { randomBytes } from "node:crypto";
import { MlsApi, SortDirection } from "../../wire/gen/mls/api/v1/mls_pb";
import { casesOf } from "../case";
import { CODE, showStatus } from "../client/grpc";
import { identifierOf, type NodeUnderTest } from "../client/node";
import { CONTENT, type MlsMessageParts, mlsMessage } from "../client/payload";
import { expectSame, expectThat } from "../failure";

const { method } = MlsApi;

const CURVE25519 = 1;
const XWING = 2;
const SYMMETRIC_KEY = 3;
const POINTER_XWING = 2;

/** A group message to send. */
function input(parts: MlsMessageParts) {
  return { version: { case: "v1", value: { data: mlsMessage(parts) } } } as const;
}

/** Sends what has to be refused with INVALID_ARGUMENT as a group message. */
async function refusesGroupMessage(node: NodeUnderTest, data: Uint8Array): Promise<void> {
  const reply = await node.call(method.sendGroupMessages, { messages: [{ version: { case: "v1", value: { data } } }] });
  expectThat(reply.code === CODE.invalidArgument, "INVALID_ARGUMENT (3)", showStatus(reply));
}

interface WelcomeParts {
  readonly installationKey?: Uint8Array;
  readonly data?: Uint8Array;
  readonly hpkePublicKey?: Uint8Array;
  readonly wrapperAlgorithm?: number;
}

/** Sends a welcome; what is not told is well-formed. */
function sendWelcome(node: NodeUnderTest, parts: WelcomeParts) {
  const value = {
    installationKey: identifierOf(node.welcome()),
    data: randomBytes(32),
    hpkePublicKey: randomBytes(32),
    wrapperAlgorithm: CURVE25519,
    ...parts,
  };
  return node.call(method.sendWelcomeMessages, { messages: [{ version: { case: "v1", value } }] });
}

function sendPointer(node: NodeUnderTest, parts: WelcomeParts & { readonly welcomePointer?: Uint8Array }) {
  const value = {
    installationKey: identifierOf(node.welcome()),
    welcomePointer: randomBytes(32),
    hpkePublicKey: randomBytes(32),
    wrapperAlgorithm: POINTER_XWING,
    ...parts,
  };
  return node.call(method.sendWelcomeMessages, { messages: [{ version: { case: "welcomePointer", value } }] });
}

export const UNARY_SEND = casesOf("unary", [
  {
    id: "sent-is-found",
    rules: ["v3 SendGroupMessages", "v3 QueryGroupMessages"],
    promise: "A client reads its own writes: what was acked is found by the next query.",
    run: async (node) => {
      const a = node.group();
      for (let n = 0; n < 5; n++) await node.publish(a);
      expectThat((await node.stored(a)).length === 5, "five messages", "another number");
    },
  },
  {
    id: "group-and-flags-of-a-message",
    rules: ["v3 SendGroupMessages"],
    promise: "The group comes from the MLS message itself; hmac and should_push are stored as given.",
    run: async (node) => {
      const groupId = identifierOf(node.group());
      const data = mlsMessage({ groupId });
      const senderHmac = randomBytes(32);
      await node.ok(method.sendGroupMessages, {
        messages: [{ version: { case: "v1", value: { data, senderHmac, shouldPush: true } } }],
      });
      const { messages } = await node.ok(method.queryGroupMessages, { groupId });
      const found = messages[0]?.version;
      expectThat(found?.case === "v1", "the message", "none");
      const { value } = found;
      expectThat(Buffer.from(value.groupId).equals(groupId), "its group id", "another");
      expectThat(Buffer.from(value.data).equals(data), "its data", "other data");
      expectThat(Buffer.from(value.senderHmac).equals(senderHmac), "its sender_hmac", "another");
      expectThat(value.shouldPush, "should_push", "false");
    },
  },
  {
    id: "is-commit-is-computed",
    rules: ["v3 SendGroupMessages"],
    promise: "is_commit is true for commits and proposals, false for application messages.",
    run: async (node) => {
      const groupId = identifierOf(node.group());
      for (const contentType of [CONTENT.application, CONTENT.proposal, CONTENT.commit]) {
        await node.ok(method.sendGroupMessages, { messages: [input({ groupId, contentType })] });
      }
      const pagingInfo = { direction: SortDirection.ASCENDING };
      const { messages } = await node.ok(method.queryGroupMessages, { groupId, pagingInfo });
      const flags = messages.map(({ version }) => version.case === "v1" && version.value.isCommit);
      expectSame(flags, [false, true, true], "is_commit of application, proposal, commit");
    },
  },
  {
    id: "repeat-makes-no-row",
    rules: ["v3 SendGroupMessages"],
    promise: "The same message sent again succeeds and is stored once.",
    run: async (node) => {
      const a = node.group();
      const messages = [input({ groupId: identifierOf(a) })];
      for (let n = 0; n < 3; n++) await node.ok(method.sendGroupMessages, { messages });
      expectThat((await node.stored(a)).length === 1, "one message", `${(await node.stored(a)).length}`);
    },
  },
  {
    id: "all-or-none",
    rules: ["v3 SendGroupMessages"],
    promise: "One bad message in a request refuses them all: nothing is stored.",
    run: async (node) => {
      const a = node.group();
      const good = input({ groupId: identifierOf(a) });
      const bad = { version: { case: "v1", value: { data: Buffer.from("no MLS at all") } } } as const;
      const reply = await node.call(method.sendGroupMessages, { messages: [good, bad] });
      expectThat(reply.code === CODE.invalidArgument, "INVALID_ARGUMENT (3)", showStatus(reply));
      expectThat((await node.stored(a)).length === 0, "nothing stored", "something");
    },
  },
  {
    id: "no-mls-refused",
    rules: ["v3 SendGroupMessages"],
    promise: "Bytes that are no MLS message are refused with INVALID_ARGUMENT: they would break every later sync.",
    run: (node) => refusesGroupMessage(node, randomBytes(64).fill(0, 0, 1)),
  },
  {
    id: "empty-data-refused",
    rules: ["v3 SendGroupMessages"],
    promise: "A message without data is refused with INVALID_ARGUMENT.",
    run: (node) => refusesGroupMessage(node, new Uint8Array()),
  },
  {
    id: "trailing-bytes-refused",
    rules: ["v3 SendGroupMessages"],
    level: "strict",
    promise: "A message with a byte too many is refused with INVALID_ARGUMENT.",
    run: (node) => {
      const whole = mlsMessage({ groupId: identifierOf(node.group()) });
      return refusesGroupMessage(node, Buffer.concat([whole, Buffer.from([0])]));
    },
  },
  {
    id: "cut-off-message-refused",
    rules: ["v3 SendGroupMessages"],
    level: "strict",
    promise: "A message that is cut off is refused with INVALID_ARGUMENT.",
    run: (node) => refusesGroupMessage(node, mlsMessage({ groupId: identifierOf(node.group()) }).subarray(0, -3)),
  },
  {
    id: "other-wire-formats-refused",
    rules: ["v3 SendGroupMessages"],
    level: "strict",
    promise: "An MLS message that is no PrivateMessage is refused with INVALID_ARGUMENT.",
    run: (node) => refusesGroupMessage(node, mlsMessage({ groupId: identifierOf(node.group()), wireFormat: 3 })),
  },
  {
    id: "unknown-content-type-refused",
    rules: ["v3 SendGroupMessages"],
    level: "strict",
    promise: "An MLS message of an unknown content type is refused with INVALID_ARGUMENT.",
    run: (node) => refusesGroupMessage(node, mlsMessage({ groupId: identifierOf(node.group()), contentType: 9 })),
  },
  {
    id: "ids-ascend-with-time",
    rules: ["v3 SendGroupMessages", "R-16"],
    promise: "A message that is sent after another was acked has a higher id, whatever their groups.",
    run: async (node) => {
      let last = 0n;
      for (let n = 0; n < 10; n++) {
        const [id = 0n] = await node.publish(node.group());
        expectThat(id > last, `an id above ${last}`, `${id}`);
        last = id;
      }
    },
  },
  {
    id: "welcomes-are-sent",
    rules: ["v3 SendWelcomeMessages", "v3 QueryWelcomeMessages"],
    promise: "A welcome is stored as it was sent, for its installation.",
    run: async (node) => {
      const installationKey = identifierOf(node.welcome());
      const hpkePublicKey = randomBytes(1_216);
      const data = randomBytes(100);
      const reply = await sendWelcome(node, { installationKey, data, hpkePublicKey, wrapperAlgorithm: XWING });
      expectThat(reply.code === CODE.ok, "OK", showStatus(reply));
      const { messages } = await node.ok(method.queryWelcomeMessages, { installationKey });
      const found = messages[0]?.version;
      expectThat(found?.case === "v1" && messages.length === 1, "one welcome", `${messages.length}`);
      expectThat(Buffer.from(found.value.data).equals(data), "its data", "other data");
      expectThat(Buffer.from(found.value.hpkePublicKey).equals(hpkePublicKey), "its hpke_public_key", "another");
      expectThat(found.value.wrapperAlgorithm === XWING, "its algorithm", `${found.value.wrapperAlgorithm}`);
    },
  },
  {
    id: "welcome-needs-its-parts",
    rules: ["v3 SendWelcomeMessages"],
    promise: "A welcome without data, installation key or public key is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const empty = new Uint8Array();
      for (const parts of [{ data: empty }, { installationKey: empty }, { hpkePublicKey: empty }]) {
        const reply = await sendWelcome(node, parts);
        const without = `INVALID_ARGUMENT (3) without ${Object.keys(parts).join()}`;
        expectThat(reply.code === CODE.invalidArgument, without, showStatus(reply));
      }
    },
  },
  {
    id: "symmetric-welcome-needs-no-public-key",
    rules: ["v3 SendWelcomeMessages"],
    level: "strict",
    promise: "A welcome of algorithm SYMMETRIC_KEY needs no public key.",
    run: async (node) => {
      const parts = { hpkePublicKey: new Uint8Array(), wrapperAlgorithm: SYMMETRIC_KEY };
      const reply = await sendWelcome(node, parts);
      expectThat(reply.code === CODE.ok, "OK", showStatus(reply));
    },
  },
  {
    id: "welcome-pointers",
    rules: ["v3 SendWelcomeMessages"],
    promise: "A welcome pointer is stored and found as one, in the sequence of welcomes.",
    run: async (node) => {
      const w = node.welcome();
      const welcomePointer = randomBytes(64);
      const reply = await sendPointer(node, { installationKey: identifierOf(w), welcomePointer });
      expectThat(reply.code === CODE.ok, "OK", showStatus(reply));
      const [found] = await node.stored(w);
      expectThat(found !== undefined && Buffer.from(found.data).equals(welcomePointer), "the pointer", "none");
    },
  },
  {
    id: "pointer-needs-its-parts",
    rules: ["v3 SendWelcomeMessages"],
    level: "strict",
    promise: "A welcome pointer without one of its parts, or of another algorithm, is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const empty = new Uint8Array();
      const wrong = [
        { welcomePointer: empty },
        { installationKey: empty },
        { hpkePublicKey: empty },
        { wrapperAlgorithm: 0 },
      ];
      for (const parts of wrong) {
        const reply = await sendPointer(node, parts);
        const expected = `INVALID_ARGUMENT (3) for a wrong ${Object.keys(parts).join()}`;
        expectThat(reply.code === CODE.invalidArgument, expected, showStatus(reply));
      }
    },
  },
]);
