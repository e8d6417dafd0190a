/** Postgres out of the compiled program: an archive inside it, unpacked beside the data on the first start. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { locateBinaries, POSTGRES_MAJOR, type PostgresBinaries, readBinaries } from "./binaries";
import { BUNDLED_POSTGRES } from "./bundled";
import { syncToDisk } from "./sync";

/** How directories of unpacked binaries are named, before the hash of the archive. */
const PREFIX = `postgres-${POSTGRES_MAJOR}-bin-`;

/** The Postgres of this program: in a checkout the npm package's, in an executable its own, unpacked into the data directory. */
export async function provideBinaries(dataDir: string): Promise<PostgresBinaries> {
  if (BUNDLED_POSTGRES === undefined) return locateBinaries();
  return await unpackBinaries(await Bun.file(BUNDLED_POSTGRES).bytes(), dataDir);
}

/**
 * Unpacks an archive made by scripts/pack-postgres.ts into a directory of its own under `parent`, named by the
 * archive's hash: one that is there already is used as it is. Safe at any time, also by two processes at once;
 * what is cut short is never taken for whole.
 * @param archive the bytes, tar.zst.
 */
export async function unpackBinaries(archive: Uint8Array, parent: string): Promise<PostgresBinaries> {
  const hash = createHash("sha256").update(archive).digest("hex").slice(0, 16);
  // Absolute, because the server is started from another directory than the node.
  const root = resolve(parent, `${PREFIX}${hash}`);
  if (existsSync(root)) return readBinaries(root);
  mkdirSync(parent, { recursive: true });
  const unfinished = mkdtempSync(`${root}.new-`);
  try {
    await new Bun.Archive(await Bun.zstdDecompress(archive)).extract(join(unfinished, "tree"));
    syncTree(join(unfinished, "tree"));
    renameUnlessThere(join(unfinished, "tree"), root);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return readBinaries(root);
}

/** Removes what earlier versions of the program, or unfinished starts, have unpacked beside these binaries. */
export function removeOtherBinaries(binaries: PostgresBinaries): void {
  const parent = dirname(binaries.root);
  if (!basename(binaries.root).startsWith(PREFIX)) return;
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(PREFIX) || name === basename(binaries.root)) continue;
    rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function renameUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    // Another process was faster, with the same content.
    if (!existsSync(to)) throw error;
  }
}

/** Waits until files and directories are on disk: the name alone must not survive a loss of power. */
function syncTree(root: string): void {
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" }).map((path) => join(root, path));
  for (const path of [...paths, root]) syncToDisk(path);
}
