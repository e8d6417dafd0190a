import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../support/certificate";
import { QUIET_SETTINGS, ServeProcess } from "../support/serve-process";

const ROOT = join(import.meta.dir, "../..");
const TIDELINE = [process.execPath, "src/main.ts"];

let directory: string;
let server: ServeProcess;
let address: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "tideline-tls-"));
  const { cert, key } = makeCertificate();
  writeFileSync(join(directory, "cert.pem"), cert);
  writeFileSync(join(directory, "key.pem"), key);
  server = await ServeProcess.start({
    command: [...TIDELINE, "serve"],
    env: {
      PATH: process.env["PATH"],
      ...QUIET_SETTINGS,
      TIDELINE_DATA_DIR: join(directory, "data"),
      TIDELINE_KEEPALIVE_MS: "1000",
      TIDELINE_TLS_CERT: join(directory, "cert.pem"),
      TIDELINE_TLS_KEY: join(directory, "key.pem"),
    },
  });
  address = `https://localhost:${server.grpcPort}`;
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function tideline(args: readonly string[], env: Readonly<Record<string, string>>) {
  const trusting = { PATH: process.env["PATH"], ...env };
  const child = Bun.spawn([...TIDELINE, ...args], { cwd: ROOT, env: trusting, stdin: "ignore", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

const trusted = () => ({ NODE_EXTRA_CA_CERTS: join(directory, "cert.pem") });

test("the client's commands speak TLS, and trust an authority of one's own by NODE_EXTRA_CA_CERTS", async () => {
  const published = await tideline(["publish", "--group", "demo", "--address", address, "over TLS"], trusted());
  expect(published).toMatchObject({ code: 0 });
  const tailed = await tideline(["tail", "--count", "1", "--address", address, "group:demo"], trusted());
  expect(tailed).toMatchObject({ code: 0 });
  expect(tailed.out).toContain("over TLS");
});

test("a certificate that nobody vouches for is not spoken to, and it is said how to vouch for it", async () => {
  for (const command of [
    ["publish", "--group", "demo", "x"],
    ["tail", "group:demo"],
  ]) {
    const { code, err } = await tideline([...command, "--address", address], {});
    expect(code).toBe(3);
    expect(err).toContain("self signed certificate");
    expect(err).toContain("NODE_EXTRA_CA_CERTS");
  }
});

test("the conformance kit holds a node against the protocol over TLS", async () => {
  const groups = "opening,acks,seam";
  const args = ["conformance", address, "--json", "--group", groups, "--patience", "60"];
  const { out, err, code } = await tideline(args, trusted());
  expect(out.split("\n").filter((line) => line !== "" && !line.includes('"verdict":"passed"'))).toEqual([]);
  expect(err).toContain("cases");
  expect(code).toBe(0);
});

test("the web port is HTTPS", async () => {
  const { port } = new URL(`http://${server.serving.web}`);
  const tls = { ca: await Bun.file(join(directory, "cert.pem")).text() };
  expect((await fetch(`https://localhost:${port}/`, { tls })).status).toBe(404);
  await expect(fetch(`http://localhost:${port}/`)).rejects.toThrow();
});

test("one file without the other is a mistake, and a file that is not there ends the start in clear words", async () => {
  const half = await tideline(["serve", "--tls-cert", "cert.pem"], {});
  expect(half.code).toBe(2);
  expect(half.err).toContain("TIDELINE_TLS_KEY");
  const files = ["--tls-cert", join(directory, "none.pem"), "--tls-key", join(directory, "key.pem")];
  const missing = await tideline(["serve", "--data-dir", join(directory, "other"), ...files], { ...QUIET_SETTINGS });
  expect(missing.code).toBe(1);
  expect(missing.err).toContain("wanted a readable file, found no such file");
});
