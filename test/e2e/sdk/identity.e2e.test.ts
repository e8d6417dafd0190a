import { afterAll, beforeAll, expect, test } from "bun:test";
import { type App, eventually, newWallet, nodeApp } from "./app";
import { Attacker } from "./attacker";
import { CHAIN_ID, ChainStub } from "./chain";
import { SdkNode } from "./sdk-node";
import { describeSdk, installSdks } from "./suite";

installSdks();

describeSdk("identities of the Node SDK", () => {
  let chain: ChainStub;
  let node: SdkNode;
  let app: App;
  let network: Attacker;

  beforeAll(async () => {
    chain = new ChainStub();
    node = await SdkNode.start({ TIDELINE_CHAIN_RPC: `${CHAIN_ID}=${chain.url}` });
    app = nodeApp({ url: node.url, bidi: true });
    network = new Attacker(node.url);
  });

  afterAll(async () => {
    await app?.[Symbol.asyncDispose]();
    await node?.[Symbol.asyncDispose]();
    await chain?.[Symbol.asyncDispose]();
  });

  test("a second installation of an inbox talks too, until it is revoked", async () => {
    const peer = await app.client();
    const first = await app.client();
    const second = await app.client(first.wallet);
    expect(second.inboxId).toBe(first.inboxId);
    expect((await first.inbox()).installations.toSorted()).toEqual(
      [first.installationId, second.installationId].toSorted(),
    );
    const group = await peer.group([first]);
    await peer.send(group, "for both");
    for (const one of [first, second]) {
      await one.sync();
      expect(await one.texts(group)).toEqual(["for both"]);
    }

    await first.revoke([second.installationId]);
    expect((await first.inbox()).installations).toEqual([first.installationId]);
    // The next change of its members brings a group up to date with their inboxes.
    await peer.addMembers(group, [await app.client()]);
    expect(await peer.members(group)).toContainEqual({ inboxId: first.inboxId, installations: 1 });
    await peer.send(group, "for one");
    await first.sync();
    expect(await first.texts(group)).toEqual(["for both", "for one"]);
    await second.sync();
    expect(await second.texts(group)).toEqual(["for both"]);
  });

  test("accounts are added and removed, and the inbox is found by each as long as it has it", async () => {
    const asker = await app.client();
    const owner = await app.client();
    const other = await app.client();
    const spare = newWallet();
    const address = await app.addressOf(spare);
    await owner.addAccount(spare);
    expect((await owner.inbox()).accounts.toSorted()).toEqual([owner.address, address].toSorted());
    expect(await asker.canMessage([address])).toEqual({ [address]: true });
    await owner.removeAccount(address);
    expect((await owner.inbox()).accounts).toEqual([owner.address]);
    expect(await other.canMessage([address])).toEqual({ [address]: false });
  });

  test("a recovery identifier is changed, after which only the new one revokes", async () => {
    const owner = await app.client();
    const second = await app.client(owner.wallet);
    const heir = newWallet();
    await owner.changeRecovery(await app.addressOf(heir));
    await expect(owner.revoke([second.installationId])).rejects.toThrow();
    expect((await owner.inbox()).installations).toHaveLength(2);
  });

  test("a contract wallet registers, is found and talks; what its contract does not take is refused", async () => {
    const peer = await app.client();
    const wallet = chain.deployWallet();
    const owner = await app.client(wallet);
    expect(chain.asked).toBeGreaterThan(0);
    expect(owner.address).toBe(wallet.contract.address);
    expect(await peer.canMessage([owner.address])).toEqual({ [owner.address]: true });
    const dm = await peer.dm(owner);
    await peer.send(dm, "to a contract");
    await owner.sync();
    await owner.send(dm, "from a contract");
    await peer.sync();
    expect(await peer.texts(dm)).toEqual(["to a contract", "from a contract"]);

    // The SDK keeps the node's words to itself.
    const { key, contract } = chain.deployWallet();
    await expect(app.client({ key: newWallet().key, contract })).rejects.toThrow(/signature/i);
    await expect(app.client({ key, contract: { ...contract, chainId: 1 } })).rejects.toThrow(/signature/i);
    expect(await peer.canMessage([contract.address])).toEqual({ [contract.address]: false });
  });

  test("after a welcome the key package is replaced, and the new one serves for the next welcome", async () => {
    const often = { workerIntervalsMs: { KeyPackageCleaner: 200, TaskRunner: 200 } };
    const host = await app.client();
    const guest = await app.client(newWallet(), often);
    const before = await network.keyPackageOf(guest.installationId);
    const uploads = await node.calls("UploadKeyPackage");
    const group = await host.group([guest]);
    await guest.sync();
    const current = () => network.keyPackageOf(guest.installationId);
    await eventually(current, (found) => !Buffer.from(found).equals(before), "a new key package");
    expect(await node.calls("UploadKeyPackage")).toBeGreaterThan(uploads);
    const next = await (await app.client()).group([guest]);
    await guest.sync();
    expect(await guest.conversations()).toEqual(expect.arrayContaining([group, next]));
  });

  test("the worker of commit logs publishes and asks", async () => {
    const often = { workerIntervalsMs: { CommitLog: 300 } };
    const host = await app.client(newWallet(), often);
    const guest = await app.client(newWallet(), often);
    const group = await host.group([guest]);
    await guest.sync();
    await host.send(group, "something");
    for (const method of ["BatchPublishCommitLog", "BatchQueryCommitLog"])
      await eventually(
        () => node.calls(method),
        (calls) => calls > 0,
        method,
      );
    await guest.send(group, "and all is well");
    await host.sync();
    expect(await host.texts(group)).toEqual(["something", "and all is well"]);
  });
});
