import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnreliableRelay } from "../../support/unreliable-relay";
import { until } from "../../support/until";
import { eventually, GROUPLESS, newWallet, nodeApp } from "./app";
import { SdkNode } from "./sdk-node";
import { describeSdk, installSdks } from "./suite";

/** The SDK's watchdog is derived from it: it gives a stream up after three silent intervals. */
const KEEPALIVE_MS = 1_000;
const HOLE_MS = 6 * KEEPALIVE_MS;
/** The SDK backs off for longer with every attempt that fails. */
const BACK_MS = 60_000;

installSdks();

const textsOf = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name} ${n}`);

/** One that writes at the node itself, one that reads through a relay, and what it hears. */
async function converse(node: SdkNode, relay: UnreliableRelay, owned: AsyncDisposableStack) {
  const writer = await owned.use(nodeApp({ url: node.url, bidi: true })).client();
  const reader = await owned.use(nodeApp({ url: relay.address, bidi: true })).client();
  const heard = await reader.listen();
  const dm = await writer.dm(reader);
  await writer.send(dm, ...textsOf("before", 20));
  await heard.heard(20);
  return { writer, reader, heard, dm };
}

describeSdk("a Node SDK whose network fails", () => {
  let node: SdkNode;
  beforeAll(async () => {
    node = await SdkNode.start({ TIDELINE_KEEPALIVE_MS: `${KEEPALIVE_MS}` });
  }, 60_000);
  afterAll(async () => await node?.[Symbol.asyncDispose]());

  test("its connection is cut again and again: what is sent meanwhile arrives exactly once (C-3)", async () => {
    await using owned = new AsyncDisposableStack();
    const relay = owned.use(await UnreliableRelay.before(node.port));
    const { writer, heard, dm } = await converse(node, relay, owned);
    const all = textsOf("before", 20);
    for (let round = 0; round < 4; round++) {
      relay.cut();
      const texts = textsOf(`round ${round}`, 25);
      await writer.send(dm, ...texts);
      all.push(...texts);
      await heard.heard(all.length, BACK_MS);
    }
    expect(heard.texts).toEqual(all);
    expect(relay.connections).toBeGreaterThan(4);
  }, 120_000);

  test("nothing passes for longer than its watchdog waits: what is sent meanwhile arrives exactly once (C-2, C-3)", async () => {
    await using owned = new AsyncDisposableStack();
    const relay = owned.use(await UnreliableRelay.before(node.port));
    const { writer, reader, heard, dm } = await converse(node, relay, owned);
    relay.blackHole(true);
    const beganAt = performance.now();
    await writer.send(dm, ...textsOf("meanwhile", 50));
    await until(() => performance.now() - beganAt > HOLE_MS, "the hole to outlast the watchdog", HOLE_MS + 1_000);
    expect(heard.texts).toEqual(textsOf("before", 20));
    relay.blackHole(false);
    await heard.heard(70, BACK_MS);
    await writer.send(dm, ...textsOf("after", 20));
    await heard.heard(90, BACK_MS);
    expect(heard.texts).toEqual([...textsOf("before", 20), ...textsOf("meanwhile", 50), ...textsOf("after", 20)]);
    await reader.send(dm, "and it can speak again");
  }, 180_000);
});

describeSdk("an app that is killed and started again with its database", () => {
  test("it is the same installation, and has or gets everything that was sent", async () => {
    await using owned = new AsyncDisposableStack();
    const directory = mkdtempSync(join(tmpdir(), "tideline-sdk-db-"));
    owned.defer(() => rmSync(directory, { recursive: true, force: true }));
    const node = owned.use(await SdkNode.start());
    const writer = await owned.use(nodeApp({ url: node.url, bidi: true })).client();
    const wallet = newWallet();
    const options = { dbPath: join(directory, "reader.db3") };
    const said: string[] = [];
    const installations = new Set<string>();
    let dm = "";
    for (let round = 0; round < 3; round++) {
      {
        await using app = nodeApp({ url: node.url, bidi: true });
        const reader = await app.client(wallet, options);
        installations.add(reader.installationId);
        const heard = await reader.listen();
        dm ||= await writer.dm(reader);
        await writer.send(dm, `live ${round}`);
        said.push(`live ${round}`);
        await eventually(
          async () => heard.texts,
          (texts) => texts.includes(`live ${round}`),
          "the live text",
        );
        await reader.sync();
        expect(await reader.texts(dm)).toEqual(said);
      }
      await writer.send(dm, `while away ${round}`);
      said.push(`while away ${round}`);
    }
    expect(installations.size).toBe(1);
  }, 120_000);
});

describeSdk("a Node SDK with server streams whose network fails", () => {
  test("its connection is cut: the stream comes back for what is new, and a sync finds what was sent meanwhile", async () => {
    await using owned = new AsyncDisposableStack();
    const node = owned.use(await SdkNode.start());
    const relay = owned.use(await UnreliableRelay.before(node.port));
    const writer = await owned.use(nodeApp({ url: node.url, bidi: false })).client();
    const reader = await owned.use(nodeApp({ url: relay.address, bidi: false })).client(newWallet(), GROUPLESS);
    const heard = await reader.listen();
    const dm = await writer.dm(reader);
    await writer.send(dm, ...textsOf("before", 20));
    await heard.heard(20);
    relay.cut();
    const said = [...textsOf("before", 20), ...textsOf("meanwhile", 20)];
    await writer.send(dm, ...textsOf("meanwhile", 20));
    // Until the stream is back: nobody but the SDK knows when.
    await eventually(
      async () => {
        said.push(`after ${said.length}`);
        await writer.send(dm, `after ${said.length - 1}`);
        return heard.texts;
      },
      (texts) => texts.some((text) => text.startsWith("after")),
      "the stream to come back",
      BACK_MS,
    );
    await reader.sync();
    expect(await reader.texts(dm)).toEqual(said);
    expect(new Set(heard.texts).size).toBe(heard.texts.length);
  }, 120_000);
});

describeSdk("a Node SDK whose node is killed and started again", () => {
  test("what was acked is there, what is sent afterwards arrives, all exactly once (C-3)", async () => {
    await using owned = new AsyncDisposableStack();
    const node = owned.use(await SdkNode.start({ TIDELINE_KEEPALIVE_MS: `${KEEPALIVE_MS}` }));
    const app = owned.use(nodeApp({ url: node.url, bidi: true }));
    const writer = await app.client();
    const reader = await owned.use(nodeApp({ url: node.url, bidi: true })).client();
    const heard = await reader.listen();
    const dm = await writer.dm(reader);
    const all: string[] = [];
    for (let round = 0; round < 3; round++) {
      const texts = textsOf(`round ${round}`, 30);
      await writer.send(dm, ...texts);
      all.push(...texts);
      await node.kill();
      await node.restart();
    }
    await writer.send(dm, "the last");
    await heard.heard(all.length + 1, BACK_MS);
    expect(heard.texts).toEqual([...all, "the last"]);
    const late = await app.client();
    await late.sync();
    const group = await writer.group([reader, late]);
    await writer.send(group, "for all");
    await late.sync();
    expect(await late.texts(group)).toEqual(["for all"]);
  }, 240_000);
});
