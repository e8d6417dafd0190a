import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { packBinaries } from "../../scripts/pack-postgres";
import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { provideBinaries, unpackBinaries } from "../../src/store/embedded/archive";
import { locateBinaries } from "../../src/store/embedded/binaries";
import { startEmbedded } from "../../src/store/embedded/database";
import { migrate } from "../../src/store/migrate";
import { quickDisk } from "../support/quick-disk";
import { connectSql } from "../support/sql-connection";

const parent = mkdtempSync(join(quickDisk(), "tideline-archive-"));
let archive: Uint8Array;

beforeAll(async () => {
  archive = await packBinaries(locateBinaries(), 1);
});

afterAll(() => rmSync(parent, { recursive: true, force: true }));

describe("the archive of Postgres", () => {
  test("is small, and the same bytes each time", async () => {
    expect(archive.length).toBeLessThan(25_000_000);
    expect(await packBinaries(locateBinaries(), 1)).toEqual(archive);
  });

  test("is unpacked once, by several at the same time too, and leaves nothing unfinished", async () => {
    const directory = join(parent, "once");
    const [one, other] = await Promise.all([unpackBinaries(archive, directory), unpackBinaries(archive, directory)]);
    expect(other).toEqual(one);
    expect(one.links).toEqual([]);
    expect(readdirSync(directory)).toHaveLength(1);
    const { mtimeMs } = statSync(one.root);
    expect(await unpackBinaries(archive, directory)).toEqual(one);
    expect(statSync(one.root).mtimeMs).toBe(mtimeMs);
  });

  test("holds all that a database needs, and makes room by removing what older versions unpacked", async () => {
    const dataDir = join(parent, "data");
    mkdirSync(join(dataDir, "postgres-18-bin-older"), { recursive: true });
    const binaries = await unpackBinaries(archive, dataDir);
    await using database = await startEmbedded({ dataDir, binaries, clock: systemClock, log: silentLogger });
    await migrate(database.target);
    await using sql = connectSql(database.target);
    const [row] = await sql`
      SELECT first AS id, fresh FROM append_in_runs(0::int2, 1, '{1}', ${new Uint8Array([0, 1])}, '{0,2}', ${new Uint8Array(32)}, ''::bytea, '{0,0}')`;
    expect(row).toEqual({ id: 1n, fresh: true });
    expect(existsSync(join(dataDir, "postgres-18-bin-older"))).toBe(false);
    expect(existsSync(binaries.root)).toBe(true);
  });

  test("is not needed in a checkout, where the package's binaries are used as they lie", async () => {
    const binaries = await provideBinaries(join(parent, "unused"));
    expect(binaries).toEqual(locateBinaries());
    expect(existsSync(join(parent, "unused"))).toBe(false);
  });
});
