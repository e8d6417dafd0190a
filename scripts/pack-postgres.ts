/**
 * Packs what the embedded database needs at run time into one archive, for the compiled program:
 * `bun scripts/pack-postgres.ts OUTPUT.tar.zst`. The same package gives the same bytes.
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { locateBinaries, type PostgresBinaries } from "../src/store/embedded/binaries";

/** Paths below the package's root, as globs. All else (other languages, extensions, tools, locales) is left out. */
const RUNTIME = [
  "bin/initdb",
  "bin/postgres",
  "lib/lib{crypto,ssl,icudata,icui18n,icuuc,lzma,pq,xml2,z}.so*",
  "lib/postgresql/{plpgsql,dict_snowball}.so",
  "share/postgresql/*.{bki,sql,sample,txt}",
  "share/postgresql/extension/plpgsql*",
  "share/postgresql/timezone/{GMT,UTC}",
  "share/postgresql/timezonesets/*",
  "share/postgresql/tsearch_data/*",
].map((pattern) => new Bun.Glob(pattern));

/** 17.3 MB in 1.5 s; the highest level takes 18 s to save 2 MB. */
const COMPRESSION_LEVEL = 9;
const BLOCK_BYTES = 512;

/** Writes the archive of this platform's npm package to a file. */
export async function packPostgres(output: string): Promise<void> {
  await Bun.write(output, await packBinaries(locateBinaries(), COMPRESSION_LEVEL));
}

/** The archive: a zstd-compressed tar of the runtime tree, with every library under the name it is looked for by. */
export async function packBinaries(binaries: PostgresBinaries, level: number): Promise<Uint8Array> {
  // Of several names of one library (libpq.so, libpq.so.5) the loader asks for the one with the major version.
  const asked = binaries.links.filter((link) => /\.so\.\d+$/.test(link.name));
  const names = new Map(asked.map((link) => [`lib/${link.file}`, `lib/${link.name}`]));
  const paths = readdirSync(binaries.root, { recursive: true, encoding: "utf8" })
    .filter((path) => RUNTIME.some((glob) => glob.match(path)) && statSync(join(binaries.root, path)).isFile())
    .sort();
  const parts = paths.flatMap((path) => {
    const content = readFileSync(join(binaries.root, path));
    const mode = path.startsWith("bin/") ? 0o755 : 0o644;
    return [tarHeader(names.get(path) ?? path, mode, content.length), content, padding(content.length)];
  });
  const tar = Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
  return await Bun.zstdCompress(tar, { level });
}

/** A header of the ustar format; owner and time are always the same. */
function tarHeader(name: string, mode: number, bytes: number): Buffer {
  if (name.length > 100) throw new RangeError(`a name in the archive is longer than 100 bytes: ${name}`);
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  header.write(name, 0);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(bytes, 11), 124);
  header.write(octal(0, 11), 136);
  // The checksum is taken with its own field full of spaces.
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\0" + "00", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return header;
}

function padding(bytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

if (import.meta.main) {
  const output = process.argv[2];
  if (output === undefined) throw new Error("usage: bun scripts/pack-postgres.ts OUTPUT.tar.zst");
  await packPostgres(output);
}
