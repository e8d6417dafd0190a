import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { MAX_PUBLISHED_ENTRIES, MAX_QUERIED_LOGS } from "../../src/serve/api/commit-log";
import { MAX_FETCHED_PACKAGES, MAX_KEY_PACKAGE_BYTES } from "../../src/serve/api/key-packages";
import { MlsApi, SortDirection } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { RECORDED_KEY_PACKAGE } from "../mls/recorded/node-sdk";
import { createDatabase, type TestDatabase } from "../support/database";
import { failure } from "../support/failure";
import { GrpcClient } from "../support/h2-grpc";
import { type InstallationKeys, makeInstallationKeys, makeKeyPackage } from "../support/key-packages";
import { type IdentityClients, type IdentityNode, openIdentityNode, WAYS } from "./identity-node";

let database: TestDatabase;
let one: IdentityNode;
let two: IdentityNode;
beforeAll(async () => {
  database = await createDatabase();
  one = await openIdentityNode({ database });
  two = await openIdentityNode({ database });
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

/** Bytes as a request takes them. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}

async function packageOf(keys: InstallationKeys, initKey = 2) {
  return own(await makeKeyPackage(keys, { tbs: { initKey: new Uint8Array(32).fill(initKey) } }));
}

function upload({ mls }: IdentityClients, keyPackageTlsSerialized: Uint8Array<ArrayBuffer>) {
  return mls.uploadKeyPackage({ keyPackage: { keyPackageTlsSerialized }, isInboxIdCredential: true });
}

describe.each(Object.keys(WAYS).map((name) => ({ name })))("by $name", ({ name }) => {
  const way = name === "gRPC" || name === "gRPC-Web" ? name : "Connect";
  let here: IdentityClients;
  let there: IdentityClients;
  beforeAll(() => {
    here = one.clients(way);
    there = two.clients(way);
  });

  describe("key packages", () => {
    test("are fetched in the order asked: the newest of each installation, an empty entry where there is none", async () => {
      const [a, b, none] = [makeInstallationKeys(), makeInstallationKeys(), makeInstallationKeys()];
      const [old, ofA, ofB] = [await packageOf(a, 3), await packageOf(a, 4), await packageOf(b)];
      for (const data of [old, ofB, ofA]) await upload(here, data);
      const installationKeys = [b, none, a, b].map(({ publicKey }) => own(publicKey));
      const { keyPackages } = await there.mls.fetchKeyPackages({ installationKeys });
      expect(keyPackages.map(({ keyPackageTlsSerialized: data }) => data)).toEqual([ofB, new Uint8Array(), ofA, ofB]);
      expect((await there.mls.fetchKeyPackages({})).keyPackages).toEqual([]);
    });

    test("that do not hold are refused by the rule they break, and the one before stays", async () => {
      const keys = makeInstallationKeys();
      const good = await packageOf(keys);
      await upload(here, good);
      const longer = Uint8Array.of(...good, 0);
      const tampered = own(good);
      tampered[good.length - 1] = (good[good.length - 1] ?? 0) ^ 1;
      const expired = own(await makeKeyPackage(keys, { leaf: { lifetime: { notBefore: 0n, notAfter: 1n } } }));
      const field = "key_package.key_package_tls_serialized";
      for (const [data, rule] of [
        [longer, "malformed"],
        [tampered, "signature"],
        [expired, "lifetime"],
      ] as const) {
        const [code, words] = await failure(upload(here, data));
        expect([code, words]).toEqual([
          "InvalidArgument",
          expect.stringContaining(`${field}: key package refused (${rule})`),
        ]);
      }
      const { keyPackages } = await there.mls.fetchKeyPackages({ installationKeys: [own(keys.publicKey)] });
      expect(keyPackages[0]?.keyPackageTlsSerialized).toEqual(good);
    });

    test("have limits that are named, with what came", async () => {
      expect(await failure(here.mls.uploadKeyPackage({}))).toEqual([
        "InvalidArgument",
        "key_package.key_package_tls_serialized: wanted 1 to 16384 bytes, found 0",
      ]);
      expect(await failure(upload(here, new Uint8Array(MAX_KEY_PACKAGE_BYTES + 1)))).toEqual([
        "InvalidArgument",
        "key_package.key_package_tls_serialized: wanted 1 to 16384 bytes, found 16385",
      ]);
      const installationKeys = Array.from({ length: MAX_FETCHED_PACKAGES + 1 }, () => Uint8Array.of(1));
      expect(await failure(here.mls.fetchKeyPackages({ installationKeys }))).toEqual([
        "InvalidArgument",
        "installation_keys: wanted at most 5000 installations, found 5001; ask in several requests",
      ]);
      expect(
        await failure(here.mls.fetchKeyPackages({ installationKeys: [Uint8Array.of(1), new Uint8Array()] })),
      ).toEqual(["InvalidArgument", "installation_keys[1]: wanted 1 to 1023 bytes, found 0"]);
    });
  });

  describe("commit logs", () => {
    const groupId = (text: string) => own(Buffer.from(`${name} ${text}`));
    const entry = (group: string, text: string) => ({
      groupId: groupId(group),
      serializedCommitLogEntry: own(Buffer.from(text)),
      signature: { bytes: new Uint8Array(64), publicKey: new Uint8Array(32).fill(1) },
    });
    const texts = (entries: readonly { readonly serializedCommitLogEntry: Uint8Array }[]) =>
      entries.map(({ serializedCommitLogEntry: bytes }) => Buffer.from(bytes).toString());

    test("are answered in the order asked, each paged by itself, with ids that ascend", async () => {
      await here.mls.batchPublishCommitLog({ requests: [entry("a", "1"), entry("b", "x"), entry("a", "2")] });
      await there.mls.batchPublishCommitLog({ requests: [entry("a", "3")] });
      const ascending = { direction: SortDirection.ASCENDING };
      const { responses } = await there.mls.batchQueryCommitLog({
        requests: [
          { groupId: groupId("a") },
          { groupId: groupId("none") },
          { groupId: groupId("b"), pagingInfo: ascending },
          { groupId: groupId("a"), pagingInfo: { ...ascending, limit: 2 } },
        ],
      });
      expect(responses.map((response) => texts(response.commitLogEntries))).toEqual([
        ["3", "2", "1"],
        [],
        ["x"],
        ["1", "2"],
      ]);
      expect(responses.map((response) => response.groupId)).toEqual(["a", "none", "b", "a"].map(groupId));
      const [newest, , , page] = responses;
      expect(newest?.pagingInfo).toMatchObject({ direction: SortDirection.DESCENDING, limit: 100, idCursor: 0n });
      expect(newest?.commitLogEntries[0]?.signature).toMatchObject({ publicKey: new Uint8Array(32).fill(1) });
      const idCursor = page?.pagingInfo?.idCursor ?? 0n;
      expect(idCursor).toBe(page?.commitLogEntries[1]?.sequenceId ?? -1n);
      const next = await here.mls.batchQueryCommitLog({
        requests: [{ groupId: groupId("a"), pagingInfo: { ...ascending, idCursor } }],
      });
      expect(texts(next.responses[0]?.commitLogEntries ?? [])).toEqual(["3"]);
      expect(next.responses[0]?.pagingInfo?.idCursor).toBe(0n);
    });

    test("take all of a request or nothing, and name the limit and what came", async () => {
      const words = async (requests: readonly ReturnType<typeof entry>[]) =>
        await failure(here.mls.batchPublishCommitLog({ requests: [...requests] }));
      const many = Array.from({ length: MAX_PUBLISHED_ENTRIES + 1 }, () => entry("c", "1"));
      expect(await words(many)).toEqual([
        "InvalidArgument",
        "requests: wanted at most 10 entries, found 11; ask in several requests",
      ]);
      expect(await words([entry("c", "1"), { ...entry("c", "2"), groupId: new Uint8Array() }])).toEqual([
        "InvalidArgument",
        "requests[1].group_id: wanted 1 to 1023 bytes, found 0",
      ]);
      expect(await words([entry("c", "1"), entry("c", "")])).toEqual([
        "InvalidArgument",
        "requests[1].serialized_commit_log_entry: wanted at least 1 byte, found none",
      ]);
      expect((await words([entry("c", "x".repeat(20_000))]))[1]).toStartWith("requests[0]: wanted at most 8192 bytes");
      const { responses } = await here.mls.batchQueryCommitLog({ requests: [{ groupId: groupId("c") }] });
      expect(responses[0]?.commitLogEntries).toEqual([]);
      await here.mls.batchPublishCommitLog({ requests: [] });
      const asked = (count: number) => Array.from({ length: count }, () => ({ groupId: groupId("c") }));
      const full = await here.mls.batchQueryCommitLog({ requests: asked(MAX_QUERIED_LOGS) });
      expect(full.responses).toHaveLength(MAX_QUERIED_LOGS);
      expect(await failure(here.mls.batchQueryCommitLog({ requests: asked(MAX_QUERIED_LOGS + 1) }))).toEqual([
        "InvalidArgument",
        "requests: wanted at most 20 groups, found 21; ask in several requests",
      ]);
      expect(await failure(here.mls.batchQueryCommitLog({ requests: [{}] }))).toEqual([
        "InvalidArgument",
        "requests[0].group_id: wanted 1 to 1023 bytes, found 0",
      ]);
      const pagingInfo = { idCursor: 2n ** 63n };
      const beyond = here.mls.batchQueryCommitLog({ requests: [{ groupId: groupId("c"), pagingInfo }] });
      expect((await failure(beyond))[1]).toStartWith("requests[0].paging_info.id_cursor: wanted at most 2^63-1");
    });
  });
});

test("a foreign gRPC client uploads what a real SDK did, and fetches it", async () => {
  using client = new GrpcClient(one.grpc.address.port);
  const keyPackage = { keyPackageTlsSerialized: RECORDED_KEY_PACKAGE };
  await client.ask(MlsApi.method.uploadKeyPackage, { keyPackage });
  const key = own(Buffer.from("c226e781ad3d18f48541eb2ea6eedcc879c36ffc9db33919518edd3afdb09ed4", "hex"));
  const { keyPackages } = await client.ask(MlsApi.method.fetchKeyPackages, { installationKeys: [key] });
  expect(keyPackages[0]?.keyPackageTlsSerialized).toEqual(RECORDED_KEY_PACKAGE);
});

test.each(["RegisterInstallation", "RevokeInstallation", "GetIdentityUpdates"])(
  "MlsApi.%s, which nobody calls any more, is UNIMPLEMENTED",
  async (method) => {
    using client = new GrpcClient(one.grpc.address.port);
    const { code, details } = await client.call(`/xmtp.mls.api.v1.MlsApi/${method}`);
    expect([code, details]).toEqual([12, expect.stringContaining("not part of the network any more")]);
  },
);
