/** Fetches the SDKs that these tests drive, which a plain install of tideline doesn't. */

import { existsSync } from "node:fs";

/** Why the Node SDK cannot run here, or `undefined` if it can. */
export function nodeSdkMissing(): string | undefined {
  if (process.platform !== "linux") return "the SDK's tests run on Linux";
  if (Bun.which("node") === null) return "there is no `node`, in which the SDKs run";
  if (existsSync("/etc/alpine-release")) return "the SDK's native code needs glibc";
  return undefined;
}

/** Installs a folder's packages as its lockfile has them; a second time costs nothing. @throws Error with what was said. */
export async function installPackages(directory: string): Promise<void> {
  const install = Bun.spawn([process.execPath, "install", "--frozen-lockfile", "--cwd", directory], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const said = await new Response(install.stderr).text();
  if ((await install.exited) !== 0) throw new Error(`the packages of ${directory} cannot be installed:\n${said}`);
}
