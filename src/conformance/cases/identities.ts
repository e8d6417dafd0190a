/**
 * What SDKs need beside messages, as far as a node can be held to it without the means to sign: answers in their
 * places, limits, commit logs, and that nothing gets in which nobody vouched for.
 */

import { createHash, randomBytes } from "node:crypto";
import { IdentityApi } from "../../wire/gen/identity/api/v1/identity_pb";
import type { CreateInboxSchema, IdentityUpdateSchema } from "../../wire/gen/identity/associations/association_pb";
import { MlsApi, SortDirection } from "../../wire/gen/mls/api/v1/mls_pb";
import type { InitOf } from "../../wire/init";
import { casesOf } from "../case";
import { CODE, type Status, showStatus } from "../client/grpc";
import { identifierOf, type NodeUnderTest } from "../client/node";
import { expectSame, expectThat } from "../failure";

const { method: mls } = MlsApi;
const { method: identity } = IdentityApi;

const ETHEREUM = 1;
const MAX_PUBLISHED = 10;
const MAX_QUERIED = 20;
/** Inboxes that SDKs ask for at once. */
const INBOXES_AT_ONCE = 50;

function randomHex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}

function randomAddress(): string {
  return `0x${randomHex(20)}`;
}

/** An entry of a group's commit log as it is published. */
function entryOf(groupId: Uint8Array, text: string) {
  const signature = { bytes: randomBytes(64), publicKey: randomBytes(32) };
  return { groupId, serializedCommitLogEntry: Buffer.from(text), signature };
}

interface PageAsked {
  readonly limit?: number;
  readonly idCursor?: bigint;
}

/** A page of a group's commit log, ascending: texts of the entries, their ids, and the cursor to go on from. */
async function logPage(node: NodeUnderTest, groupId: Uint8Array, asked: PageAsked = {}) {
  const pagingInfo = { direction: SortDirection.ASCENDING, ...asked };
  const { responses } = await node.ok(mls.batchQueryCommitLog, { requests: [{ groupId, pagingInfo }] });
  const [page] = responses;
  const entries = page?.commitLogEntries ?? [];
  return {
    texts: entries.map(({ serializedCommitLogEntry }) => Buffer.from(serializedCommitLogEntry).toString()),
    ids: entries.map(({ sequenceId }) => sequenceId),
    next: page?.pagingInfo?.idCursor ?? 0n,
  };
}

function expectRefused(reply: Status, what: string): void {
  const isRefused = reply.code === CODE.invalidArgument || reply.code === CODE.resourceExhausted;
  expectThat(isRefused, `${what} to be refused with INVALID_ARGUMENT or RESOURCE_EXHAUSTED`, showStatus(reply));
}

function expectInvalid(reply: Status): void {
  expectThat(reply.code === CODE.invalidArgument, "INVALID_ARGUMENT", showStatus(reply));
}

type CreateInboxInit = InitOf<typeof CreateInboxSchema>;

/** The creation of an inbox, as far as it can be made without the key that has to sign it. */
function creation(address: string, signature: Uint8Array | undefined): InitOf<typeof IdentityUpdateSchema> {
  const nonce = 1n;
  const inboxId = createHash("sha256").update(`${address}${nonce}`).digest("hex");
  const value: CreateInboxInit = { initialIdentifier: address, initialIdentifierKind: ETHEREUM, nonce };
  if (signature !== undefined) {
    const bytes = Uint8Array.from(signature);
    value.initialIdentifierSignature = { signature: { case: "erc191", value: { bytes } } };
  }
  const clientTimestampNs = BigInt(Date.now()) * 1_000_000n;
  return { inboxId, clientTimestampNs, actions: [{ kind: { case: "createInbox", value } }] };
}

export const IDENTITIES = casesOf("identities", [
  {
    id: "key-packages-are-positional",
    rules: ["v3 FetchKeyPackages"],
    promise: "FetchKeyPackages has an entry for each installation asked for, an empty one where there is no package.",
    run: async (node) => {
      for (const count of [0, 1, 5]) {
        const installationKeys = Array.from({ length: count }, () => randomBytes(32));
        const { keyPackages } = await node.ok(mls.fetchKeyPackages, { installationKeys });
        const sizes = keyPackages.map(({ keyPackageTlsSerialized }) => keyPackageTlsSerialized.length);
        expectSame(sizes, Array<number>(count).fill(0), "bytes of the packages");
      }
    },
  },
  {
    id: "no-key-package-refused",
    rules: ["v3 UploadKeyPackage"],
    promise:
      "Bytes that are no key package are refused with INVALID_ARGUMENT: their owner could not be added to a group.",
    run: async (node) => {
      for (const data of [new Uint8Array(), randomBytes(300), Buffer.from([0, 1, 0, 3])]) {
        const keyPackage = { keyPackageTlsSerialized: Uint8Array.from(data) };
        expectInvalid(await node.call(mls.uploadKeyPackage, { keyPackage, isInboxIdCredential: true }));
      }
    },
  },
  {
    id: "commit-log-is-kept",
    rules: ["v3 BatchPublishCommitLog", "v3 BatchQueryCommitLog"],
    promise: "Entries of a commit log are found as they were published, at once, in their order, with ascending ids.",
    run: async (node) => {
      const groupId = identifierOf(node.group());
      const first = entryOf(groupId, "first");
      await node.ok(mls.batchPublishCommitLog, { requests: [first, entryOf(groupId, "second")] });
      await node.ok(mls.batchPublishCommitLog, { requests: [entryOf(groupId, "third")] });
      const { texts, ids } = await logPage(node, groupId);
      expectSame(texts, ["first", "second", "third"], "entries");
      expectThat(
        ids.every((id, at) => id > (ids[at - 1] ?? 0n)),
        "ascending ids",
        `${ids}`,
      );
      const { responses } = await node.ok(mls.batchQueryCommitLog, { requests: [{ groupId }] });
      const oldest = responses[0]?.commitLogEntries.at(-1)?.signature;
      const same = Buffer.from(oldest?.bytes ?? []).equals(first.signature.bytes);
      expectThat(same, "the signature as it was published", "another");
    },
  },
  {
    id: "commit-log-pages",
    rules: ["v3 BatchQueryCommitLog"],
    promise: "A commit log is paged like messages: exclusive cursors, the last id of a full page, 0 at the end.",
    run: async (node) => {
      const groupId = identifierOf(node.group());
      const requests = ["1", "2", "3", "4", "5"].map((text) => entryOf(groupId, text));
      await node.ok(mls.batchPublishCommitLog, { requests });
      const full = await logPage(node, groupId, { limit: 3 });
      expectSame(full.texts, ["1", "2", "3"], "entries of the first page");
      expectThat(full.next === full.ids.at(-1), `the cursor ${full.ids.at(-1)}`, `${full.next}`);
      const rest = await logPage(node, groupId, { limit: 3, idCursor: full.next });
      expectSame(rest.texts, ["4", "5"], "entries of the second page");
      expectThat(rest.next === 0n, "the cursor 0", `${rest.next}`);
    },
  },
  {
    id: "commit-logs-are-positional",
    rules: ["v3 BatchQueryCommitLog"],
    promise: "BatchQueryCommitLog answers each group by itself, in the order asked, also where there is nothing.",
    run: async (node) => {
      const [a, b, none] = [node.group(), node.group(), node.group()].map(identifierOf);
      if (a === undefined || b === undefined || none === undefined) return;
      await node.ok(mls.batchPublishCommitLog, { requests: [entryOf(a, "of a"), entryOf(b, "of b")] });
      const requests = [b, none, a, b].map((groupId) => ({ groupId }));
      const { responses } = await node.ok(mls.batchQueryCommitLog, { requests });
      const texts = responses.map(({ commitLogEntries }) =>
        commitLogEntries.map((entry) => Buffer.from(entry.serializedCommitLogEntry).toString()).join(),
      );
      expectSame(texts, ["of b", "", "of a", "of b"], "entries");
    },
  },
  {
    id: "too-many-commit-log-entries",
    rules: ["v3 BatchPublishCommitLog"],
    promise: "Ten entries of commit logs are taken at once, and of eleven none.",
    run: async (node) => {
      const groupId = identifierOf(node.group());
      const entries = (count: number) => Array.from({ length: count }, (_, nth) => entryOf(groupId, `${nth}`));
      const reply = await node.call(mls.batchPublishCommitLog, { requests: entries(MAX_PUBLISHED + 1) });
      expectRefused(reply, `${MAX_PUBLISHED + 1} entries`);
      await node.ok(mls.batchPublishCommitLog, { requests: entries(MAX_PUBLISHED) });
      const { texts } = await logPage(node, groupId);
      expectThat(texts.length === MAX_PUBLISHED, `${MAX_PUBLISHED} entries`, `${texts.length}`);
    },
  },
  {
    id: "too-many-commit-logs",
    rules: ["v3 BatchQueryCommitLog"],
    promise: "Twenty commit logs can be asked for at once, and twenty-one are refused.",
    run: async (node) => {
      const groups = (count: number) => Array.from({ length: count }, () => ({ groupId: identifierOf(node.group()) }));
      const { responses } = await node.ok(mls.batchQueryCommitLog, { requests: groups(MAX_QUERIED) });
      expectThat(responses.length === MAX_QUERIED, `${MAX_QUERIED} responses`, `${responses.length}`);
      const reply = await node.call(mls.batchQueryCommitLog, { requests: groups(MAX_QUERIED + 1) });
      expectRefused(reply, `${MAX_QUERIED + 1} groups`);
    },
  },
  {
    id: "identity-updates-are-positional",
    rules: ["v3 IdentityApi.GetIdentityUpdates"],
    promise: "GetIdentityUpdates answers for each of fifty inboxes in the order asked, also where there is no update.",
    run: async (node) => {
      const inboxIds = Array.from({ length: INBOXES_AT_ONCE }, () => randomHex(32));
      const requests = inboxIds.map((inboxId) => ({ inboxId }));
      const { responses } = await node.ok(identity.getIdentityUpdates, { requests });
      expectSame(
        responses.map(({ inboxId }) => inboxId),
        inboxIds,
        "inboxes",
      );
      expectThat(
        responses.every(({ updates }) => updates.length === 0),
        "no updates",
        "updates of unknown inboxes",
      );
    },
  },
  {
    id: "inbox-ids-are-positional",
    rules: ["v3 IdentityApi.GetInboxIds"],
    promise:
      "GetInboxIds repeats each identifier and its kind in the order asked, without an inbox where nobody knows it.",
    run: async (node) => {
      const requests = [ETHEREUM, 0, 2].map((identifierKind) => ({
        identifier: identifierKind === 2 ? randomHex(33) : randomAddress(),
        identifierKind,
      }));
      const { responses } = await node.ok(identity.getInboxIds, { requests });
      const show = (identifier: string, kind: number) => `${kind} ${identifier}`;
      expectSame(
        responses.map(({ identifier, identifierKind }) => show(identifier, identifierKind)),
        requests.map(({ identifier, identifierKind }) => show(identifier, identifierKind)),
        "identifiers",
      );
      expectThat(
        responses.every(({ inboxId }) => inboxId === undefined),
        "no inbox",
        "inboxes of unknown identifiers",
      );
    },
  },
  {
    id: "forged-inbox-refused",
    rules: ["v3 IdentityApi.PublishIdentityUpdate"],
    promise: "An inbox that nobody signed for is refused with INVALID_ARGUMENT and not known afterwards.",
    run: async (node) => {
      const address = randomAddress();
      for (const signature of [undefined, new Uint8Array(65), randomBytes(65)]) {
        const identityUpdate = creation(address, signature);
        expectInvalid(await node.call(identity.publishIdentityUpdate, { identityUpdate }));
        const requests = [{ inboxId: identityUpdate.inboxId ?? "" }];
        const { responses } = await node.ok(identity.getIdentityUpdates, { requests });
        expectThat(responses[0]?.updates.length === 0, "an inbox without updates", "the refused update");
      }
      const { responses } = await node.ok(identity.getInboxIds, { requests: [{ identifier: address }] });
      expectThat(responses[0]?.inboxId === undefined, "no inbox", "the refused inbox");
    },
  },
  {
    id: "empty-identity-update-refused",
    rules: ["v3 IdentityApi.PublishIdentityUpdate"],
    promise:
      "An identity update without an action, and a request without an update, are refused with INVALID_ARGUMENT.",
    run: async (node) => {
      expectInvalid(await node.call(identity.publishIdentityUpdate, {}));
      const identityUpdate = { inboxId: randomHex(32), clientTimestampNs: 1n };
      expectInvalid(await node.call(identity.publishIdentityUpdate, { identityUpdate }));
    },
  },
  {
    id: "wallet-verdicts-are-positional",
    rules: ["v3 IdentityApi.VerifySmartContractWalletSignatures"],
    level: "strict",
    promise:
      "Each signature of a contract wallet gets a verdict of its own with a block, also on a chain nobody knows.",
    run: async (node) => {
      const chains = [999_999_999_999n, 999_999_999_998n];
      const signatures = chains.map((chain) => ({
        accountId: `eip155:${chain}:${randomAddress()}`,
        hash: randomBytes(32),
        signature: randomBytes(65),
      }));
      const { responses } = await node.ok(identity.verifySmartContractWalletSignatures, { signatures });
      const verdicts = responses.map(({ isValid, blockNumber }) => !isValid && blockNumber !== undefined);
      expectSame(verdicts, [true, true], "invalid and with a block");
    },
  },
  {
    id: "dead-methods-are-trailers-only",
    rules: ["v3 RegisterInstallation", "C-7"],
    level: "strict",
    promise: "RegisterInstallation, RevokeInstallation and MlsApi.GetIdentityUpdates are UNIMPLEMENTED, Trailers-Only.",
    run: async (node) => {
      for (const { name } of [mls.registerInstallation, mls.revokeInstallation, mls.getIdentityUpdates]) {
        const { end } = await node.raw(`/${MlsApi.typeName}/${name}`, Buffer.from([0, 0, 0, 0, 0]));
        expectThat(end.code === CODE.unimplemented, "UNIMPLEMENTED (12)", showStatus(end));
        expectThat(end.trailersOnly, "the status in the first HEADERS frame", "headers, then trailers");
      }
    },
  },
]);
