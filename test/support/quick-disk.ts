/** Where databases of tests lie. */

import { existsSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";

const IN_MEMORY = "/dev/shm";
/** More than all databases of a run take; containers often have 64 MiB there. */
const MIN_FREE_BYTES = 1024 ** 3;

/** A directory in memory where there is room for them, else the system's temporary one. */
export function quickDisk(): string {
  if (!existsSync(IN_MEMORY)) return tmpdir();
  const { bavail, bsize } = statfsSync(IN_MEMORY);
  return bavail * bsize < MIN_FREE_BYTES ? tmpdir() : IN_MEMORY;
}
