/** What the files of these tests have in common: they are skipped where the SDKs cannot run, and say why. */

import { afterAll, beforeAll, describe } from "bun:test";
import { installPackages, nodeSdkMissing } from "./install";
import { SdkNode } from "./sdk-node";

const missing = nodeSdkMissing();

/** Tests that drive the Node SDK. `reason`: why they cannot run, if there is more to it than the SDK. */
export function describeSdk(title: string, tests: () => void, reason: string | undefined = undefined): void {
  const why = missing ?? reason;
  describe.skipIf(why !== undefined)(why === undefined ? title : `${title} (skipped: ${why})`, tests);
}

/** Has the SDKs installed before the first of a file's tests. */
export function installSdks(): void {
  beforeAll(async () => {
    if (missing === undefined) await installPackages(import.meta.dir);
  });
}

/** One node for all tests of a file; to be asked for by them. Installs the SDKs, too. */
export function sharedNode(): () => SdkNode {
  let node: SdkNode | undefined;
  installSdks();
  beforeAll(async () => {
    if (missing === undefined) node = await SdkNode.start();
  });
  afterAll(async () => await node?.[Symbol.asyncDispose]());
  return () => {
    if (node === undefined) throw new Error("the node is there for tests only, not while they are collected");
    return node;
  };
}
