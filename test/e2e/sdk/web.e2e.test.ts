import { expect, test } from "bun:test";
import { GROUPLESS, newWallet, nodeApp, wasmApp } from "./app";
import { AppSite, findBrowser } from "./browser";
import { describeSdk, sharedNode } from "./suite";

const browser = findBrowser();
const noBrowser = browser === undefined ? "no Chromium on the PATH, and CHROMIUM_PATH is not set" : undefined;

const node = sharedNode();

describeSdk("the WASM bindings in Node, by gRPC-Web", () => {
  test("register, find each other, talk by DM, and hear a client of the Node SDK", async () => {
    await using web = wasmApp({ webUrl: node().webUrl });
    await using native = nodeApp({ url: node().url, bidi: true });
    const alice = await web.client();
    const bob = await web.client();
    const carol = await native.client();
    expect(await alice.canMessage([bob.address, carol.address])).toEqual({
      [bob.address]: true,
      [carol.address]: true,
    });
    const dm = await alice.dm(bob);
    await alice.send(dm, "one", "two");
    await bob.sync();
    expect(await bob.texts(dm)).toEqual(["one", "two"]);

    const heard = await bob.listen();
    const group = await carol.group([alice, bob]);
    await carol.send(group, "from afar");
    expect(await heard.heard(1)).toEqual(["from afar"]);
    await alice.send(dm, "three");
    expect(await heard.heard(2)).toEqual(["from afar", "three"]);
    await alice.sync();
    await alice.send(group, "and back");
    await carol.sync();
    expect(await carol.texts(group)).toEqual(["from afar", "and back"]);
  });
});

describeSdk(
  "the browser SDK in Chromium",
  () => {
    test("registers from a site of another origin, talks with a client of the Node SDK, and hears it live", async () => {
      await using site = await AppSite.start();
      await using page = site.open(browser ?? "", { webUrl: node().webUrl });
      await using native = nodeApp({ url: node().url, bidi: true });
      const alice = await page.client(newWallet(), GROUPLESS);
      const carol = await native.client();
      expect(await alice.canMessage([carol.address])).toEqual({ [carol.address]: true });
      const dm = await alice.dm(carol);
      await alice.send(dm, "from a page");
      await carol.sync();
      expect(await carol.texts(dm)).toEqual(["from a page"]);

      const heard = await alice.listen();
      await carol.send(dm, "live 1", "live 2", "live 3");
      expect(await heard.heard(3)).toEqual(["live 1", "live 2", "live 3"]);
      const group = await carol.group([alice]);
      await carol.send(group, "a new group");
      await heard.heard(4);
      expect(await alice.members(group)).toHaveLength(2);
    });
  },
  noBrowser,
);
