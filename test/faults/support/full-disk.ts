/** What the drills that fill up a disk have in common. */

import { test } from "bun:test";
import type { Drill } from "./drill";
import { FaultNode } from "./node";
import { noSmallDisk, onSmallDisk } from "./small-disk";

const DISK_MIB = 160;
const KEEPALIVE_MS = 1_000;

/** What the database says. */
export const NO_SPACE = /No space left on device/;

/** A test on a small disk; skipped, with the reason in its title, where there can be none. */
export function testOnSmallDisk(title: string, work: () => Promise<void>): void {
  const reason = noSmallDisk();
  test.skipIf(reason !== undefined)(reason === undefined ? title : `${title} (skipped: ${reason})`, work);
}

/** A node with its embedded database on a disk that is soon full. */
export function startOnSmallDisk(): Promise<FaultNode> {
  const program = onSmallDisk(DISK_MIB, [process.execPath, "src/main.ts"]);
  return FaultNode.start({ env: { TIDELINE_KEEPALIVE_MS: `${KEEPALIVE_MS}` }, program });
}

/** How often the node has pinged its streams. */
export function pingsOf(node: FaultNode): Promise<number> {
  return node.metric("tideline_pings_total");
}

/** Waits until it has done so twice since it had `pings` times. */
export async function pingsGoOn(drill: Drill, node: FaultNode, pings: number): Promise<void> {
  await drill.until(async () => (await pingsOf(node)) >= pings + 2, "Pings to go on");
}
