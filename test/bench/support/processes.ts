/** Starting and stopping the processes of a benchmark, and reading how much CPU they used. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../../..");

/** A server under load: a node of ours, a reference, or somebody else's. */
export interface Target extends AsyncDisposable {
  /** host:port of its gRPC side. */
  readonly address: string;
  /** Absent if it was not started by us. */
  readonly pid?: number;
  /** Directory of the unix socket of its database, if it is a node of ours. */
  readonly databaseDir?: string;
}

/** A server that runs already. */
export function runningTarget(address: string): Target {
  return { address, [Symbol.asyncDispose]: async () => {} };
}

/** Starts a node on a fresh embedded database and waits until it serves. */
export async function startNode(env: Readonly<Record<string, string>> = {}): Promise<Target> {
  const dataDir = mkdtempSync(join(tmpdir(), "tideline-bench-"));
  const target = await startServer(["src/main.ts", "serve"], {
    TIDELINE_DATA_DIR: join(dataDir, "data"),
    TIDELINE_GRPC_LISTEN: "127.0.0.1:0",
    TIDELINE_WEB_LISTEN: "127.0.0.1:0",
    TIDELINE_ADMIN_LISTEN: "127.0.0.1:0",
    TIDELINE_LOG_FORMAT: "json",
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

/**
 * Starts a bun program and waits for its line `{"event":"serving","grpc":"host:port",…}` on stderr.
 * @throws Error with what it said, if it ends before that.
 */
export async function startServer(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Target> {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const lines = readLines(child.stderr);
  let said = "";
  for (;;) {
    const next = await lines.next();
    if (next.done) throw new Error(`${args.join(" ")} ended before it served:\n${said}`);
    said += `${next.value}\n`;
    const serving = parseServing(next.value);
    if (serving === undefined) continue;
    void drain(lines);
    return {
      ...serving,
      pid: child.pid,
      [Symbol.asyncDispose]: async () => {
        child.kill("SIGTERM");
        await child.exited;
      },
    };
  }
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

/** CPU time of a process so far, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4_096;
}

function parseServing(line: string): { address: string; databaseDir?: string } | undefined {
  if (!line.includes('"serving"')) return undefined;
  const event: { grpc: string; databaseDir?: string } = JSON.parse(line);
  return { address: event.grpc, ...(event.databaseDir === undefined ? {} : { databaseDir: event.databaseDir }) };
}

async function drain(lines: AsyncGenerator<string>): Promise<void> {
  for await (const line of lines) if (/"level":"(warn|error)"/.test(line)) console.error(line);
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
