/** A server as a process of its own, as a user starts it. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

export interface ServeCommand {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The checkout unless told. */
  readonly cwd?: string;
  /** As whom it runs; as ourselves unless told. */
  readonly uid?: number;
  /** Called with each line it says once it serves; unless told, warnings and errors are passed on to our stderr. */
  readonly onLine?: (line: string) => void;
}

/** What a server says on stderr when it serves: a line of JSON with `"event":"serving"`. */
export interface Serving {
  /** host:port of the gRPC port. */
  readonly grpc: string;
  readonly web?: string;
  readonly admin?: string;
  /** Directory of the unix socket of its embedded database. */
  readonly databaseDir?: string;
}

/** Settings of a node that gets in nobody's way: free ports, JSON log lines. */
export const QUIET_SETTINGS = {
  TIDELINE_GRPC_LISTEN: "127.0.0.1:0",
  TIDELINE_WEB_LISTEN: "127.0.0.1:0",
  TIDELINE_ADMIN_LISTEN: "127.0.0.1:0",
  TIDELINE_LOG_FORMAT: "json",
  TIDELINE_CANARY_MS: "0",
} as const;

export class ServeProcess implements AsyncDisposable {
  readonly serving: Serving;
  /** From its start until it said that it serves, in milliseconds. */
  readonly startMs: number;
  readonly #child: Bun.Subprocess<"ignore", "ignore", "pipe">;

  private constructor(child: Bun.Subprocess<"ignore", "ignore", "pipe">, serving: Serving, startMs: number) {
    this.#child = child;
    this.serving = serving;
    this.startMs = startMs;
  }

  /**
   * Starts a server and waits until it serves.
   * @throws Error with what it said, if it ends before that.
   */
  static async start({ command, env, cwd = ROOT, uid, onLine = passTroubleOn }: ServeCommand): Promise<ServeProcess> {
    const startedAt = performance.now();
    const child = Bun.spawn([...command], {
      cwd,
      env: { ...env },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    const lines = readLines(child.stderr);
    let said = "";
    for (;;) {
      const next = await lines.next();
      if (next.done) throw new Error(`${command.join(" ")} ended before it served:\n${said}`);
      said += `${next.value}\n`;
      if (!next.value.includes('"event":"serving"')) continue;
      void forward(lines, onLine);
      return new ServeProcess(child, JSON.parse(next.value), performance.now() - startedAt);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The port number of the gRPC port. */
  get grpcPort(): number {
    return Number(this.serving.grpc.split(":").at(-1));
  }

  /** Sends a signal and waits for the end. Returns the exit code; 128 and more by a signal. */
  async end(signal: NodeJS.Signals): Promise<number> {
    this.#child.kill(signal);
    return await this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGTERM");
  }
}

/** Whether there is such a process. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** CPU time of a process so far, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Lets what goes wrong later be seen. */
function passTroubleOn(line: string): void {
  if (/"level":"(warn|error)"/.test(line)) process.stderr.write(`${line}\n`);
}

async function forward(lines: AsyncGenerator<string>, onLine: (line: string) => void): Promise<void> {
  for await (const line of lines) onLine(line);
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
