/** One node per data directory. */

import { dlopen } from "bun:ffi";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import type { Clock } from "../../base/clock";
import { StoreError } from "../error";

/** flock(2): exclusive, and fail rather than wait. */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** How long a node that was just killed may take to be gone, in milliseconds. */
const PATIENCE_MS = 1_000;
const POLL_MS = 10;

/**
 * Takes the directory's lock, or says who has it. The kernel holds it for this process and gives it back when the
 * process ends, however it ends; so neither a file left behind nor a pid given anew can fool it. The pid in the
 * file is for people only.
 * @param path of the lock file; it stays.
 * @throws StoreError `refused` when another process has it and does not give it back within a second.
 */
export async function lockDirectory(path: string, clock: Clock): Promise<Disposable> {
  // "a+" creates without emptying: until we have the lock, the pid in it is another's. Closed on exec, so that
  // the server, which may outlive us by moments, does not hold it.
  const file = openSync(path, "a+", 0o600);
  const until = clock.now() + PATIENCE_MS;
  while (!lockFile(file)) {
    if (clock.now() >= until) {
      closeSync(file);
      throw new StoreError("refused", describeHolder(path));
    }
    await clock.sleep(POLL_MS);
  }
  ftruncateSync(file);
  writeSync(file, `${process.pid}\n`);
  return { [Symbol.dispose]: () => closeSync(file) };
}

function describeHolder(path: string): string {
  const pid = readFileSync(path, "utf8").trim();
  const holder = pid === "" ? "another process" : `process ${pid}`;
  return `${holder} holds ${path}: another node runs on this data directory; stop it, or choose another directory`;
}

function lockFile(file: number): boolean {
  const libc = dlopen("libc.so.6", { flock: { args: ["i32", "i32"], returns: "i32" } });
  try {
    return libc.symbols.flock(file, LOCK_EX | LOCK_NB) === 0;
  } finally {
    libc.close();
  }
}
