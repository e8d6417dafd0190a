import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../support/certificate";
import { nodeApp } from "./app";
import { CHAIN_ID, ChainStub } from "./chain";
import { SdkNode } from "./sdk-node";
import { describeSdk, installSdks } from "./suite";

const ROOT = join(import.meta.dir, "../../..");
const TEXTS = Array.from({ length: 50 }, (_, n) => `message ${n}`);

installSdks();

describeSdk("the Node SDK, and a node that is not run from its source", () => {
  let work = "";
  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), "tideline-deployments-"));
  }, 240_000);
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  /** Two apps, each a process of its own, that find each other and talk over a stream. */
  async function converse(url: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
    await using here = nodeApp({ url, bidi: true, env });
    await using there = nodeApp({ url, bidi: true, env });
    const alice = await here.client();
    const bob = await there.client();
    expect(await alice.canMessage([bob.address])).toEqual({ [bob.address]: true });
    const heard = await bob.listen();
    const dm = await alice.dm(bob);
    await alice.send(dm, ...TEXTS);
    expect(await heard.heard(TEXTS.length)).toEqual(TEXTS);
    await bob.send(dm, "and back");
    await alice.sync();
    expect(await alice.texts(dm)).toEqual([...TEXTS, "and back"]);
  }

  test("the single executable serves it, and asks chains about contract wallets", async () => {
    const built = join(work, "tideline");
    const build = Bun.spawn([process.execPath, "scripts/build.ts", "--outfile", built], {
      cwd: ROOT,
      stdout: "ignore",
    });
    expect(await build.exited).toBe(0);
    await using chain = new ChainStub();
    await using node = await SdkNode.start({ TIDELINE_CHAIN_RPC: `${CHAIN_ID}=${chain.url}` }, [built]);
    await converse(node.url);
    await using app = nodeApp({ url: node.url, bidi: true });
    const wallet = chain.deployWallet();
    expect((await app.client(wallet)).address).toBe(wallet.contract.address);
  }, 240_000);

  test("two processes on one port serve it: what one is told, the other knows", async () => {
    await using node = await SdkNode.start({ TIDELINE_PROCESSES: "2" });
    for (let n = 0; n < 4; n++) await converse(node.url);
  }, 240_000);

  test("over TLS, with a certificate that it is told to trust", async () => {
    const { cert, key } = makeCertificate("tideline test", 30, false);
    const [certFile, keyFile] = [join(work, "cert.pem"), join(work, "key.pem")];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    await using node = await SdkNode.start({ TIDELINE_TLS_CERT: certFile, TIDELINE_TLS_KEY: keyFile });
    await converse(`https://localhost:${node.port}`, { SSL_CERT_FILE: certFile });
  }, 120_000);
});
