/** As whom Postgres runs: it refuses to be root. */

import { chownSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { StoreError } from "./error";

/** Whom the server's files belong to and its processes run as. */
export type ServerOwner =
  /** The user that runs the node. */
  | { readonly kind: "self" }
  /** The node is root: `nobody`, because Postgres refuses root. */
  | {
      readonly kind: "nobody";
      readonly uid: number;
      readonly gid: number;
      /**
       * Whether some directory on the way is closed to `nobody` (as /root is). The server then keeps the one
       * capability of root that lets it pass.
       */
      readonly enclosed: boolean;
    };

/** `nobody` of today's Linux distributions. initdb insists on a user that /etc/passwd knows. */
const NOBODY = 65_534;

/**
 * Decides as whom the server runs.
 * @param paths all that the server must reach: its data, its binaries.
 * @throws StoreError `incompatible` when root is asked to hide files from the very user that needs them, and
 *   the tool that could help is missing.
 */
export function chooseOwner(paths: readonly string[]): ServerOwner {
  if (process.getuid?.() !== 0) return { kind: "self" };
  const closed = paths.map(closedAncestor).find((path) => path !== undefined);
  if (closed !== undefined && Bun.which("setpriv") === null) {
    throw new StoreError(
      "incompatible",
      `Postgres does not run as root, and the user nobody may not enter ${closed}; run as an ordinary user, choose another data directory, or install setpriv (util-linux)`,
    );
  }
  return { kind: "nobody", uid: NOBODY, gid: NOBODY, enclosed: closed !== undefined };
}

/** Makes a directory that only the server (and root) may enter. */
export function makeServerDirectory(path: string, owner: ServerOwner): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (owner.kind === "nobody") chownSync(path, owner.uid, owner.gid);
}

/** A command line, and options of `Bun.spawn`, that run `command` as the owner. */
export function asOwner(
  owner: ServerOwner,
  command: readonly string[],
): { readonly command: string[]; readonly ids: { readonly uid?: number; readonly gid?: number } } {
  if (owner.kind === "self") return { command: [...command], ids: {} };
  if (!owner.enclosed) return { command: [...command], ids: { uid: owner.uid, gid: owner.gid } };
  const capability = "-all,+dac_override";
  const drop = [
    "setpriv",
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    "--clear-groups",
    `--inh-caps=${capability}`,
    `--ambient-caps=${capability}`,
    "--",
  ];
  return { command: [...drop, ...command], ids: {} };
}

/** The first directory above a path that others may not enter. Access lists beyond the mode are not looked at. */
function closedAncestor(path: string): string | undefined {
  for (let directory = dirname(resolve(path)); ; directory = dirname(directory)) {
    const found = statSync(directory, { throwIfNoEntry: false });
    if (found !== undefined && (found.mode & 0o001) === 0) return directory;
    if (directory === dirname(directory)) return undefined;
  }
}
