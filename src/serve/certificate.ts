import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Clock, pause } from "../base/clock";
import type { Logger } from "../base/log";
import { codeOf, messageOf } from "../base/thrown";

/** What a server proves itself with, as PEM. */
export interface KeyPair {
  /** The certificate, and behind it those that lead to its authority. */
  readonly cert: string;
  readonly key: string;
}

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate that may be renewed while it is in use. Disposing of it ends the looking. */
export interface Certificate extends AsyncDisposable {
  readonly current: KeyPair;
  /** When it ends to be valid, in milliseconds since 1970. */
  readonly validToMs: number;
  /** Calls back with each pair that replaces the current one. */
  onRenewed(callback: (pair: KeyPair) => void): void;
}

export interface CertificateParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** How often the files are read again, in milliseconds: 10 000 unless told. */
  readonly everyMs?: number;
}

/** Reading two small files costs nothing, and sees a renewal however it is made: a rename, a link, a mounted secret. */
const EVERY_MS = 10_000;

/**
 * Reads a certificate and its key, and again and again whether they have been renewed. A pair that is not
 * whole or does not fit (as in the middle of a renewal) is not taken: the one before it stays.
 * @throws Error that names the setting and says what to do.
 */
export async function openCertificate(files: CertificateFiles, parts: CertificateParts): Promise<Certificate> {
  const { clock, log, everyMs = EVERY_MS } = parts;
  let current = await readPair(files);
  let validToMs = endOf(current);
  const listeners: ((pair: KeyPair) => void)[] = [];
  const stopping = new AbortController();
  let refused = "";

  const look = async () => {
    try {
      const pair = await readPair(files);
      if (pair.cert === current.cert && pair.key === current.key) return;
      current = pair;
      validToMs = endOf(pair);
      refused = "";
      for (const listener of listeners) listener(pair);
      log.info("certificate renewed", { validTo: new Date(validToMs).toISOString() });
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== refused) log.warn("certificate not renewed; the old one stays", { reason });
      refused = reason;
    }
  };
  const looking = (async () => {
    while (await pause(clock, everyMs, stopping.signal)) await look();
  })();

  return {
    get current() {
      return current;
    },
    get validToMs() {
      return validToMs;
    },
    onRenewed: (callback) => void listeners.push(callback),
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await looking;
    },
  };
}

async function readPair({ certFile, keyFile }: CertificateFiles): Promise<KeyPair> {
  const cert = await read("TIDELINE_TLS_CERT", certFile);
  const key = await read("TIDELINE_TLS_KEY", keyFile);
  const parsedCert = understood(() => new X509Certificate(cert), {
    setting: "TIDELINE_TLS_CERT",
    file: certFile,
    wanted: "a certificate in PEM (-----BEGIN CERTIFICATE-----)",
  });
  const parsedKey = understood(() => createPrivateKey(key), {
    setting: "TIDELINE_TLS_KEY",
    file: keyFile,
    wanted: "a private key in PEM without a passphrase (-----BEGIN PRIVATE KEY-----)",
  });
  if (!parsedCert.checkPrivateKey(parsedKey)) {
    throw new Error(
      `TIDELINE_TLS_KEY ${keyFile}: wanted the key of the certificate in ${certFile}, found the key of another; name two files that belong together`,
    );
  }
  return { cert, key };
}

async function read(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = codeOf(error);
    const found = code === "ENOENT" ? "no such file" : `one that cannot be read (${code ?? error})`;
    throw new Error(`${setting} ${file}: wanted a readable file, found ${found}`, { cause: error });
  }
}

interface Wanted {
  readonly setting: string;
  readonly file: string;
  readonly wanted: string;
}

/** The error below is the parser's; it may not repeat what it could not read. */
function understood<T>(parse: () => T, { setting, file, wanted }: Wanted): T {
  try {
    return parse();
  } catch {
    throw new Error(`${setting} ${file}: wanted ${wanted}, found something else`);
  }
}

function endOf({ cert }: KeyPair): number {
  return Date.parse(new X509Certificate(cert).validTo);
}
