/** A data directory on a disk of its own that can be filled up: a tmpfs that only the node and its database see. */

import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DatabaseTarget } from "../../../src/store/target";
import { embeddedTarget } from "../../bench/support/database";
import type { FaultNode } from "./node";

const IS_ROOT = process.getuid?.() === 0;
const BALLAST = "ballast";
const BLOCK_BYTES = 65_536;

/** Mounts what is gone with the last process that sees it, then becomes the program. */
const ENTER = `mount -t tmpfs -o "size=$0m,mode=0755" tmpfs "$TIDELINE_DATA_DIR" && exec `;
/** Whoever is no root may mount in a user namespace, as its root; Postgres does not run as root, not even as that one. */
const LEAVE_ROOT = "unshare --user --map-user=1000 --map-group=1000 ";

/** A program that runs with its data directory (TIDELINE_DATA_DIR) on a disk of so many MiB. */
export function onSmallDisk(mib: number, program: readonly string[]): readonly string[] {
  const [namespaces, script] = IS_ROOT
    ? [["--mount"], `${ENTER}"$@"`]
    : [["--user", "--map-root-user", "--mount"], `${ENTER}${LEAVE_ROOT}"$@"`];
  return ["unshare", ...namespaces, "sh", "-c", script, `${mib}`, ...program];
}

/** Why there can be no small disk on this machine; `undefined` if there can. */
export function noSmallDisk(): string | undefined {
  const [program = "", ...args] = onSmallDisk(1, ["true"]);
  if (Bun.which(program) === null) return `there is no ${program}`;
  const probe = Bun.spawnSync([program, ...args], { env: { ...process.env, TIDELINE_DATA_DIR: "/mnt" } });
  return probe.exitCode === 0 ? undefined : `no tmpfs can be mounted: ${probe.stderr.toString().trim()}`;
}

/** The disk of a node that runs by {@link onSmallDisk} with an embedded database. */
export class SmallDisk {
  readonly #ballast: string;
  /** Its database, as it is reached from outside. */
  readonly target: DatabaseTarget;

  constructor({ pid, databaseDir }: FaultNode) {
    const outside = `/proc/${pid}/root`;
    if (databaseDir === undefined) throw new Error("the node has no embedded database");
    this.#ballast = join(outside, dirname(databaseDir), BALLAST);
    this.target = embeddedTarget(join(outside, databaseDir));
  }

  /** Takes all the space that is left. */
  fill(): void {
    const file = openSync(this.#ballast, "a");
    try {
      writeUntilFull(file);
    } finally {
      closeSync(file);
    }
  }

  /** Gives it back. */
  empty(): void {
    if (existsSync(this.#ballast)) rmSync(this.#ballast);
  }
}

function writeUntilFull(file: number): void {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (;;) {
    try {
      writeSync(file, block);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOSPC") return;
      throw error;
    }
  }
}
