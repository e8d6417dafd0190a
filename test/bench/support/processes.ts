/** The processes of a benchmark: the server under load, and the load. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuSeconds, QUIET_SETTINGS, ServeProcess } from "../../support/serve-process";
import { noteLoad, profileFlags } from "./profile";
import type { RunOptions } from "./question";

export { familyCpuSeconds } from "./meter";

const ROOT = join(import.meta.dir, "../../..");

/** A server under load: a node of ours, a reference, or somebody else's. */
export interface Target extends AsyncDisposable {
  /** host:port of its gRPC side. */
  readonly address: string;
  /** `undefined` if it was not started by us. */
  readonly pid: number | undefined;
  /** Directory of the unix socket of its database, if it is a node of ours. */
  readonly databaseDir: string | undefined;
  /** host:port of its admin port, if it is a node of ours. */
  readonly admin: string | undefined;
}

/** A server that runs already. */
export function runningTarget(address: string): Target {
  return {
    address,
    pid: undefined,
    databaseDir: undefined,
    admin: undefined,
    [Symbol.asyncDispose]: async () => {},
  };
}

export interface NodeOptions {
  /** The database to use, shared with other nodes perhaps; absent: a fresh embedded one of its own. */
  readonly databaseUrl?: string;
  /** More settings, `TIDELINE_…`. */
  readonly env?: Readonly<Record<string, string>>;
  /** A module that is loaded into the node's process before the node. */
  readonly preload?: string;
}

/** Starts a node of ours. */
export async function startNode({ databaseUrl, env, preload }: NodeOptions = {}): Promise<Target> {
  const dataDir = mkdtempSync(join(tmpdir(), "tideline-bench-"));
  const preloading = preload === undefined ? [] : ["--preload", preload];
  const target = await startServer([...profileFlags(), ...preloading, "src/main.ts", "serve"], {
    ...QUIET_SETTINGS,
    TIDELINE_DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl ?? "",
    ...env,
  });
  return {
    ...target,
    [Symbol.asyncDispose]: async () => {
      await target[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The (first) node that was asked for by address, or a fresh one. */
export async function startOrUse({ address }: RunOptions, node: NodeOptions = {}): Promise<Target> {
  if (address === undefined) return await startNode(node);
  return runningTarget(address.split(",")[0] ?? address);
}

/** Starts a bun program that is a server and waits until it serves. */
export async function startServer(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Target> {
  const server = await ServeProcess.start({ command: [process.execPath, ...args], env: { ...process.env, ...env } });
  const { grpc, databaseDir, admin } = server.serving;
  return {
    address: grpc,
    pid: server.pid,
    databaseDir,
    admin,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Runs a bun program to its end and returns what it printed on stdout, as JSON. */
export async function runJson<T>(args: readonly string[]): Promise<T> {
  const fromMs = Date.now();
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: ROOT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${args.join(" ")} failed`);
  noteLoad({ load: args.join(" "), fromMs, toMs: Date.now() });
  return JSON.parse(text);
}

/** Command line flags, `--name=value`. */
export function flags(values: Readonly<Record<string, string | number>>): readonly string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

/** CPU time of a server so far, in seconds; NaN when it is not ours to look at. */
export function cpuOf(target: Target): number {
  return target.pid === undefined ? Number.NaN : cpuSeconds(target.pid);
}

/** What a load client must know to measure a server: its address, and its pid if it is ours to look at. */
export function targetFlags({ address, pid }: Target): Readonly<Record<string, string | number>> {
  return pid === undefined ? { address } : { address, pid };
}
