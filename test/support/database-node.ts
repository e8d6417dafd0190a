/** A process that runs the embedded database of a directory until it is killed: `bun database-node.ts DIRECTORY`. */

import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { locateBinaries } from "../../src/store/embedded/binaries";
import { startEmbedded } from "../../src/store/embedded/database";

const dataDir = process.argv[2] ?? "";
try {
  const database = await startEmbedded({ dataDir, binaries: locateBinaries(), clock: systemClock, log: silentLogger });
  process.stdout.write(`ready ${database.pid}\n`);
  await new Promise(() => setInterval(() => {}, 60_000));
} catch (error) {
  process.stdout.write(`failed ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
