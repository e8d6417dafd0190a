/** The processes of a benchmark: the server under load, and the load. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUIET_SETTINGS, ServeProcess } from "../../support/serve-process";

const ROOT = join(import.meta.dir, "../../..");

/** A server under load: a node of ours, a reference, or somebody else's. */
export interface Target extends AsyncDisposable {
  /** host:port of its gRPC side. */
  readonly address: string;
  /** `undefined` if it was not started by us. */
  readonly pid: number | undefined;
  /** Directory of the unix socket of its database, if it is a node of ours. */
  readonly databaseDir: string | undefined;
}

/** A server that runs already. */
export function runningTarget(address: string): Target {
  return { address, pid: undefined, databaseDir: undefined, [Symbol.asyncDispose]: async () => {} };
}

/** Starts a node on a fresh embedded database. */
export async function startNode(): Promise<Target> {
  const dataDir = mkdtempSync(join(tmpdir(), "tideline-bench-"));
  const target = await startServer(["src/main.ts", "serve"], { ...QUIET_SETTINGS, TIDELINE_DATA_DIR: dataDir });
  return {
    ...target,
    [Symbol.asyncDispose]: async () => {
      await target[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Starts a bun program that is a server and waits until it serves. */
export async function startServer(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Target> {
  const server = await ServeProcess.start({ command: [process.execPath, ...args], env: { ...process.env, ...env } });
  const { grpc, databaseDir } = server.serving;
  return { address: grpc, pid: server.pid, databaseDir, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Runs a bun program to its end and returns what it printed on stdout, as JSON. */
export async function runJson<T>(args: readonly string[]): Promise<T> {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: ROOT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${args.join(" ")} failed`);
  return JSON.parse(text);
}
