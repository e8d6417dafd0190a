import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IdentityApi } from "../../src/wire/gen/identity/api/v1/identity_pb";
import { MlsApi } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { registration, Wallet } from "../support/identity-updates";
import { type InstallationKeys, makeInstallationKeys, makeKeyPackage } from "../support/key-packages";
import { QUIET_SETTINGS, ServeProcess } from "../support/serve-process";
import { until } from "../support/until";

const ROOT = join(import.meta.dir, "../..");
/** An ordinary user, for when we are root. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

let work = "";
let built = "";

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "tideline-binary-"));
  chmodSync(work, 0o755);
  built = join(work, "build/tideline");
  const build = Bun.spawn([process.execPath, "scripts/build.ts", "--outfile", built], {
    cwd: ROOT,
    stdout: "ignore",
    stderr: "inherit",
  });
  expect(await build.exited).toBe(0);
});

afterAll(() => rmSync(work, { recursive: true, force: true }));

/** An empty directory with the program in it, and nothing else; for one user. */
function alone(name: string, uid: number | undefined): string {
  const directory = join(work, name);
  mkdirSync(directory);
  copyFileSync(built, join(directory, "tideline"));
  if (uid !== undefined) chownSync(directory, uid, uid);
  return directory;
}

interface Alone {
  readonly directory: string;
  readonly uid: number | undefined;
}

function serve({ directory, uid }: Alone): Promise<ServeProcess> {
  const user = uid === undefined ? {} : { uid };
  return ServeProcess.start({ command: ["./tideline", "serve"], env: QUIET_SETTINGS, cwd: directory, ...user });
}

/** Runs a command of the program with an empty environment and returns what it wrote to stdout. */
async function run({ directory }: Alone, args: readonly string[]): Promise<string> {
  const child = Bun.spawn(["./tideline", ...args], { cwd: directory, env: {}, stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${err}`);
  return out;
}

/** Registers as an SDK does: key package first, then the inbox with its installation. */
async function register(address: string, owner: Wallet, installation: InstallationKeys): Promise<void> {
  const { identity, mls } = clientsOf(address);
  const keyPackageTlsSerialized = Uint8Array.from(await makeKeyPackage(installation, {}));
  await mls.uploadKeyPackage({ keyPackage: { keyPackageTlsSerialized } });
  await identity.publishIdentityUpdate({ identityUpdate: await registration(owner, { installation }) });
}

/** What a node knows of somebody who registered. */
async function registered(address: string, owner: Wallet, { publicKey }: InstallationKeys) {
  const { identity, mls } = clientsOf(address);
  const inboxes = await identity.getInboxIds({ requests: [{ identifier: owner.address }] });
  const logs = await identity.getIdentityUpdates({ requests: [{ inboxId: owner.inboxId() }] });
  const { keyPackages } = await mls.fetchKeyPackages({ installationKeys: [Uint8Array.from(publicKey)] });
  return {
    inboxId: inboxes.responses[0]?.inboxId,
    updates: logs.responses[0]?.updates.length,
    packages: keyPackages.filter(({ keyPackageTlsSerialized }) => keyPackageTlsSerialized.length > 0).length,
  };
}

function clientsOf(address: string) {
  const transport = createGrpcTransport({ baseUrl: `http://${address}` });
  return { identity: createClient(IdentityApi, transport), mls: createClient(MlsApi, transport) };
}

/** Processes whose command line has a path in it. */
function processesOf(directory: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory);
      } catch {
        return false; // ended meanwhile
      }
    });
}

const users: readonly { readonly name: string; readonly uid: number | undefined }[] = isRoot
  ? [
      { name: "root", uid: undefined },
      { name: "an ordinary user", uid: NOBODY },
    ]
  : [{ name: "an ordinary user", uid: undefined }];

describe("the executable, alone in an empty directory with an empty environment", () => {
  for (const { name, uid } of users) {
    test.concurrent(`serves ${name}, survives kill -9 and keeps what it acked`, async () => {
      const place = { directory: alone(name.replaceAll(" ", "-"), uid), uid };
      const cold = await serve(place);
      await run(place, ["publish", "--address", cold.serving.grpc, "--group", "kept", "before the kill"]);
      const owner = new Wallet();
      const keys = makeInstallationKeys();
      await register(cold.serving.grpc, owner, keys);
      await cold.end("SIGKILL");
      await until(() => processesOf(place.directory).length === 0, "its database to stop with it");

      await using warm = await serve(place);
      process.stderr.write(`  ${name}: cold ${cold.startMs.toFixed(0)} ms, warm ${warm.startMs.toFixed(0)} ms\n`);
      const tail = ["tail", "group:kept", "--history-only", "--json", "--address", warm.serving.grpc];
      const lines = (await run(place, tail)).trim().split("\n");
      const messages = lines.map((line) => JSON.parse(line)).filter((event) => event.event === "message");
      expect(messages.map((message) => message.id)).toEqual(["1"]);
      expect(await registered(warm.serving.grpc, owner, keys)).toEqual({
        inboxId: owner.inboxId(),
        updates: 1,
        packages: 1,
      });
      expect((await fetch(`http://${warm.serving.admin}/livez`)).status).toBe(200);
    });
  }

  test("tells its version and its help", async () => {
    const place = { directory: alone("talk", undefined), uid: undefined };
    expect(await run(place, ["version"])).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await run(place, ["serve", "--help"])).toContain("TIDELINE_KEEPALIVE_MS");
  });
});
