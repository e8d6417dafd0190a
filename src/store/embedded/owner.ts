/** As whom Postgres runs: it refuses to be root. */

import { chownSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { StoreError } from "../error";

/** Whom the server's files belong to and its processes run as. */
export type ServerOwner =
  /** The user that runs the node. */
  | { readonly kind: "self" }
  /** The node is root, which Postgres refuses to be. */
  | {
      readonly kind: "other";
      readonly uid: number;
      readonly gid: number;
      /**
       * Given when some directory on the way is closed to that user (as /root is to most): the program by which
       * the server keeps the one capability of root that lets it pass.
       */
      readonly setpriv: string | undefined;
    };

/** Where programs of the system are, whatever the environment says: it may be empty. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` of today's Linux distributions. initdb insists on a user that /etc/passwd knows. */
const NOBODY = 65_534;

/**
 * Decides as whom the server runs: as ourselves or, if we are root, as the one whose cluster it is; `nobody` gets
 * a new one.
 * @param cluster the cluster's directory, which need not exist.
 * @param program a file of the server's binaries.
 * @throws StoreError `incompatible` when root asks for a place that the server's user may not enter, and the tool
 *   that could help is missing.
 */
export function chooseOwner(cluster: string, program: string): ServerOwner {
  if (process.getuid?.() !== 0) return { kind: "self" };
  const found = statSync(cluster, { throwIfNoEntry: false });
  const ids =
    found === undefined || found.uid === 0 ? { uid: NOBODY, gid: NOBODY } : { uid: found.uid, gid: found.gid };
  const closed = [cluster, program].map((path) => closedAncestor(path, ids)).find((path) => path !== undefined);
  const setpriv = Bun.which("setpriv", { PATH: SYSTEM_PATH }) ?? undefined;
  if (closed !== undefined && setpriv === undefined) {
    throw new StoreError(
      "incompatible",
      `Postgres does not run as root, and user ${ids.uid}, as whom it would, may not enter ${closed}; run as an ordinary user, choose another data directory, or install setpriv (util-linux)`,
    );
  }
  return { kind: "other", ...ids, setpriv: closed === undefined ? undefined : setpriv };
}

/** Makes a directory that only the server (and root) may enter. */
export function makeServerDirectory(path: string, owner: ServerOwner): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (owner.kind === "other") chownSync(path, owner.uid, owner.gid);
}

/** A command line, and options of `Bun.spawn`, that run `command` as the owner. */
export function asOwner(
  owner: ServerOwner,
  command: readonly string[],
): { readonly command: string[]; readonly ids: { readonly uid?: number; readonly gid?: number } } {
  if (owner.kind === "self") return { command: [...command], ids: {} };
  if (owner.setpriv === undefined) return { command: [...command], ids: { uid: owner.uid, gid: owner.gid } };
  const capability = "-all,+dac_override";
  const drop = [
    owner.setpriv,
    // Without it access(2), by which Postgres looks for its own programs, takes no notice of the capability.
    "--securebits=+no_setuid_fixup",
    `--reuid=${owner.uid}`,
    `--regid=${owner.gid}`,
    "--clear-groups",
    `--inh-caps=${capability}`,
    `--ambient-caps=${capability}`,
    "--",
  ];
  return { command: [...drop, ...command], ids: {} };
}

/** The first directory above a path that a user may not enter. Access lists beyond the mode are not looked at. */
function closedAncestor(path: string, ids: Ids): string | undefined {
  for (let directory = dirname(resolve(path)); ; directory = dirname(directory)) {
    const found = statSync(directory, { throwIfNoEntry: false });
    if (found !== undefined && (found.mode & enterBit(found, ids)) === 0) return directory;
    if (directory === dirname(directory)) return undefined;
  }
}

function enterBit(found: Ids, ids: Ids): number {
  if (found.uid === ids.uid) return 0o100;
  return found.gid === ids.gid ? 0o010 : 0o001;
}
