/** One Postgres server as a child of this process: made, started, watched, stopped. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import { codeOf } from "../../base/thrown";
import { StoreError } from "../error";
import type { PostgresBinaries } from "./binaries";
import { asOwner, type ServerOwner, SYSTEM_PATH } from "./owner";

/** What it takes to run a program of the server. */
export interface ServerHost {
  readonly binaries: PostgresBinaries;
  /** LD_LIBRARY_PATH for them. */
  readonly libraryPath: string;
  readonly owner: ServerOwner;
  /** The cluster's directory (PGDATA). */
  readonly cluster: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The superuser, who has no password: the directory of the socket is closed to others. */
export const SUPERUSER = "tideline";

/** A server that is ready. */
export interface RunningServer {
  /** Of the postmaster. */
  readonly pid: number;
  /** Resolves when the server is gone, whatever the reason, with its exit code (128 + signal for a kill). */
  readonly exited: Promise<number>;
  /** Rolls back what is running, writes a checkpoint, ends. Resolves when it is gone; ever harder means are used. */
  stop(): Promise<void>;
}

/** How long a start may take, in milliseconds: recovery after a crash included. */
const START_MS = 60_000;
/** How often a starting server is looked at, in milliseconds. */
const POLL_MS = 5;
/** How long a stop may take before the next harder means, in milliseconds. */
const STOP_MS = 10_000;

/**
 * Runs the server ($@) so that it does not outlive whoever holds our standard input open, even if that dies by
 * kill -9: the end of input becomes SIGINT, Postgres' fast shutdown. First line of output: the server's pid.
 */
const SUPERVISOR = `
exec 3<&0
"$@" </dev/null >&2 3<&- &
server=$!
echo "$server"
{ while read -r _; do :; done; kill -INT "$server"; } <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$server"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
`;

/**
 * Makes a new cluster in an existing, empty directory.
 * @param durable whether to wait until it is on disk.
 * @throws StoreError `refused` with what initdb said.
 */
export async function initCluster(host: ServerHost, durable: boolean): Promise<void> {
  const initdb = [
    join(host.binaries.root, "bin/initdb"),
    `--pgdata=${host.cluster}`,
    `--username=${SUPERUSER}`,
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-instructions",
    durable ? "--sync-method=syncfs" : "--no-sync",
  ];
  const child = spawnAsOwner(host, ["/bin/sh", "-c", SUPERVISOR, "initdb", ...initdb]);
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  await child.stdin.end();
  if (code === 0) return;
  throw new StoreError("refused", `the embedded database could not be made in ${host.cluster}: ${faultIn(said)}`);
}

/**
 * Starts the server and waits until it accepts connections.
 * @param settings of the server, in its own names; they win over those in the cluster's directory.
 * @throws StoreError `unreachable` when it ends instead, with the last it said.
 */
export async function startServer(
  host: ServerHost,
  settings: Readonly<Record<string, string>>,
): Promise<RunningServer> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const postgres = [join(host.binaries.root, "bin/postgres"), "-D", host.cluster, ...flags];
  const child = spawnAsOwner(host, ["/bin/sh", "-c", SUPERVISOR, "postgres", ...postgres]);
  const lastWords = forwardLog(child.stderr, host.log);
  const pid = Number((await firstLine(child.stdout)).trim());
  const exit: { code: number | undefined } = { code: undefined };
  const exited = child.exited.then((code) => {
    exit.code = code;
    return code;
  });
  const server: RunningServer = { pid, exited, stop: () => stopServer(host.clock, { child, pid, exited }) };
  const until = host.clock.now() + START_MS;
  while (!isReady(host.cluster, pid)) {
    if (exit.code !== undefined) throw new StoreError("unreachable", `Postgres did not start: ${await lastWords}`);
    if (host.clock.now() > until) {
      await server.stop();
      throw new StoreError("unreachable", `Postgres was not ready ${START_MS} ms after its start`);
    }
    await host.clock.sleep(POLL_MS);
  }
  return server;
}

type Supervisor = Bun.Subprocess<"pipe", "pipe", "pipe">;

function spawnAsOwner(host: ServerHost, command: readonly string[]): Supervisor {
  const how = asOwner(host.owner, command);
  return Bun.spawn(how.command, {
    ...how.ids,
    // Not the caller's directory: the server's user may not be allowed to enter it.
    cwd: "/",
    // A session of its own: Ctrl-C in the terminal is for the node, which stops the server when it is done with it.
    detached: true,
    env: { PATH: SYSTEM_PATH, LD_LIBRARY_PATH: host.libraryPath, LC_ALL: "C", TZ: "UTC" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Whether the postmaster with this pid says in its pid file that it accepts connections. */
function isReady(cluster: string, pid: number): boolean {
  const lines = readIfAny(join(cluster, "postmaster.pid")).split("\n");
  return lines[0] === `${pid}` && lines[7]?.trim() === "ready";
}

async function stopServer(
  clock: Clock,
  server: { readonly child: Supervisor; readonly pid: number; readonly exited: Promise<number> },
): Promise<void> {
  // End of input: the supervisor sends SIGINT. A second end is harmless.
  await server.child.stdin.end();
  for (const signal of ["SIGQUIT", "SIGKILL"] as const) {
    if (await endsWithin(clock, server.exited, STOP_MS)) return;
    sendSignal(server.pid, signal);
  }
  await server.exited;
}

/** Whether `ended` resolves in time; the timer is taken back if it does. */
async function endsWithin(clock: Clock, ended: Promise<unknown>, ms: number): Promise<boolean> {
  const answer = Promise.withResolvers<boolean>();
  using _timer = clock.after(ms, () => answer.resolve(false));
  ended.then(() => answer.resolve(true), answer.reject);
  return await answer.promise;
}

/** Sends a signal; a process that is gone already is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}

/** The text of a file, empty when there is none. */
export function readIfAny(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  for await (const line of linesOf(stream)) return line;
  return "";
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** What every line of the server's log begins with: the kind of process that says it (`log_line_prefix`). */
export const LOG_LINE_PREFIX = "%b|";

/** Passes the server's log on to ours until it ends; resolves with what it died of, if it said so, or its last line. */
async function forwardLog(stream: ReadableStream<Uint8Array>, log: Logger): Promise<string> {
  let last = "it said nothing";
  let fatal: string | undefined;
  for await (const line of linesOf(stream)) {
    const [, by, severity, said] = /^([a-z -]+)\|([A-Z]+)[0-9]*: {2}(.*)$/.exec(line) ?? [];
    // Errors of a session are told to the session, and may quote its data; so may lines that continue one.
    const bySession = by === "client backend";
    if (line.startsWith("\t") || (bySession && severity === "ERROR")) continue;
    last = said ?? line;
    const fields = { by, said: last };
    if (!bySession && (severity === "PANIC" || severity === "FATAL")) fatal = last;
    if (severity === "PANIC" || severity === "ERROR") log.error("postgres", fields);
    else if (!bySession && (severity === "FATAL" || severity === "WARNING")) log.warn("postgres", fields);
    else log.debug("postgres", fields);
  }
  return fatal ?? last;
}

/** What went wrong, of all that initdb said; its last lines tell how it cleans up. */
function faultIn(said: string): string {
  const lines = said.trim().split("\n");
  return lines.findLast((line) => /\b(error|FATAL|PANIC): /.test(line)) ?? lines.at(-1) ?? "";
}
