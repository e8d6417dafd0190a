/** The directory of a database cluster (PGDATA): made whole or not at all, and of the right version. */

import { readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { StoreError } from "../error";
import { POSTGRES_MAJOR } from "./binaries";
import { makeServerDirectory } from "./owner";
import { initCluster, readIfAny, type ServerHost } from "./server";
import { syncToDisk } from "./sync";

/** Makes the cluster under another name first: one that was cut short is never taken for one that is whole. */
export async function makeCluster(host: ServerHost): Promise<void> {
  const parent = join(host.cluster, "..");
  const unfinished = `${host.cluster}.new-`;
  for (const name of readdirSync(parent)) {
    const path = join(parent, name);
    if (path.startsWith(unfinished)) rmSync(path, { recursive: true, force: true });
  }
  const cluster = `${unfinished}${process.pid}`;
  makeServerDirectory(cluster, host.owner);
  await initCluster({ ...host, cluster }, true);
  renameSync(cluster, host.cluster);
  syncToDisk(parent);
}

/** @throws StoreError `incompatible` if the cluster is of another major version, or none at all. */
export function checkVersion(cluster: string): void {
  const version = readIfAny(join(cluster, "PG_VERSION")).trim();
  if (version === POSTGRES_MAJOR) return;
  const found = version === "" ? "no database" : `a database of Postgres ${version}`;
  throw new StoreError(
    "incompatible",
    `${cluster} holds ${found}, and this program runs Postgres ${POSTGRES_MAJOR}; dump it with a tideline of that version and load it into a new directory, or choose another data directory`,
  );
}
