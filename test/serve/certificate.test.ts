import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock";
import { createLogger, silentLogger } from "../../src/base/log";
import { type CertificateFiles, type KeyPair, openCertificate } from "../../src/serve/certificate";
import { makeCertificate, type TestCertificate } from "../support/certificate";
import { until } from "../support/until";

let directory: string;
let files: CertificateFiles;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tideline-certificate-"));
  files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
});

afterEach(() => rm(directory, { recursive: true }));

async function write({ cert, key }: TestCertificate): Promise<void> {
  await replace(files.certFile, cert);
  await replace(files.keyFile, key);
}

/** Nobody ever reads half of it. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

const parts = { clock: systemClock, log: silentLogger, everyMs: 2 };
const open = () => openCertificate(files, parts);

describe("a certificate that cannot be used is refused in words that name setting and file", () => {
  test("a missing file", async () => {
    await replace(files.certFile, makeCertificate().cert);
    await expect(open()).rejects.toThrow(
      `TIDELINE_TLS_KEY ${files.keyFile}: wanted a readable file, found no such file`,
    );
  });

  test("a file that cannot be read", async () => {
    files = { ...files, certFile: directory };
    await expect(open()).rejects.toThrow(/TIDELINE_TLS_CERT .*: wanted a readable file, found one that cannot be read/);
  });

  test("no certificate, no key", async () => {
    const { cert, key } = makeCertificate();
    await write({ cert: "hello", key });
    await expect(open()).rejects.toThrow(/TIDELINE_TLS_CERT .*: wanted a certificate in PEM/);
    await write({ cert, key: cert });
    await expect(open()).rejects.toThrow(/TIDELINE_TLS_KEY .*: wanted a private key in PEM without a passphrase/);
  });

  test("the key of another certificate", async () => {
    await write({ cert: makeCertificate().cert, key: makeCertificate().key });
    await expect(open()).rejects.toThrow(/wanted the key of the certificate in .*, found the key of another/);
  });
});

test("a certificate that is renewed is noticed, however it comes, and tells when it ends", async () => {
  const first = makeCertificate("first", 30);
  const second = makeCertificate("second", 60);
  await write(first);
  await using certificate = await open();
  expect(certificate.current).toEqual(first);
  const firstEnd = certificate.validToMs;
  const renewed: KeyPair[] = [];
  certificate.onRenewed((pair) => renewed.push(pair));
  await write(second);
  await until(() => renewed.length > 0, "the renewal");
  expect(renewed).toEqual([second]);
  expect(certificate.current).toEqual(second);
  expect(certificate.validToMs - firstEnd).toBeGreaterThan(29 * 86_400_000);
});

test("half of a renewal, or a file that is gone, leaves the old pair in use, and is told once", async () => {
  const first = makeCertificate("first");
  await write(first);
  const lines: string[] = [];
  const log = createLogger({ level: "warn", format: "json", write: (line) => lines.push(line), wallMs: Date.now });
  await using certificate = await openCertificate(files, { ...parts, log });
  const second = makeCertificate("second");
  await replace(files.certFile, second.cert);
  await until(() => lines.length === 1, "a word about the key that does not fit");
  await rm(files.keyFile);
  await until(() => lines.length === 2, "a word about the key that is gone");
  expect(lines[0]).toContain("found the key of another");
  expect(lines[1]).toContain("found no such file");
  expect(certificate.current).toEqual(first);
  await replace(files.keyFile, second.key);
  await until(() => certificate.current.key === second.key, "the whole renewal");
  expect(lines).toHaveLength(2);
});
