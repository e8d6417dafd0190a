/** More processes on a node's gRPC port: how it uses more than one core. */

import { showSettings } from "../base/args-help";
import { type ListenAddress, listenAddress, revealChainUrls } from "../base/args-values";
import type { Clock } from "../base/clock";
import { SERVE_SETTINGS, type ServeConfig } from "../base/config";
import type { Logger } from "../base/log";
import { isBundled } from "../store/bundled";
import { type DatabaseTarget, targetUrl } from "../store/target";

/** Pauses before a worker that ended is started again, in milliseconds: doubling, from the first when it had run well. */
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 10_000;
const WELL_MS = 30_000;

/** The node that workers join. */
interface Joined {
  readonly grpc: ListenAddress;
  readonly database: DatabaseTarget;
}

interface WorkerParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts `config.processes - 1` nodes on the port and the database of this one, and starts each again that ends.
 *
 * The system spreads connections over the processes; each has a tail and a feed of its own, and they tell each
 * other of commits through the database, like nodes on different machines. The web and admin ports stay with the first.
 * A worker ends when this process does, even by kill -9: its stdin ends then.
 */
export function startWorkers(config: ServeConfig, node: Joined, parts: WorkerParts): AsyncDisposable {
  const stopping = new AbortController();
  const env = workerEnvironment(config, node, parts.env);
  const workers = Array.from({ length: config.processes - 1 }, (_, index) =>
    keepRunning({ ...parts, env, log: parts.log.with({ worker: index + 1 }) }, stopping.signal),
  );
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await Promise.all(workers);
    },
  };
}

async function keepRunning({ clock, log, env }: WorkerParts, signal: AbortSignal): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    const startedAt = clock.now();
    const child = Bun.spawn(ownCommand(), { env: { ...env }, stdin: "pipe", stdout: "ignore", stderr: "inherit" });
    log.info("worker started", { pid: child.pid });
    const stop = () => child.kill("SIGTERM");
    signal.addEventListener("abort", stop, { once: true });
    const code = await child.exited;
    signal.removeEventListener("abort", stop);
    if (signal.aborted) return;
    log.error("a worker ended; starting it again", { pid: child.pid, code, pauseMs });
    if (clock.now() - startedAt > WELL_MS) pauseMs = FIRST_PAUSE_MS;
    // Aborted: the loop sees it.
    await clock.sleep(pauseMs, signal).catch(() => {});
    pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
  }
}

/** The settings of this node, but for what a worker shares with it or leaves to it. */
function workerEnvironment(
  config: ServeConfig,
  { grpc, database }: Joined,
  env: WorkerParts["env"],
): Readonly<Record<string, string | undefined>> {
  const settings = showSettings(SERVE_SETTINGS, config).map(({ env: name, value }) => [name, value]);
  return {
    ...env,
    ...Object.fromEntries(settings),
    TIDELINE_WORKER: "true",
    TIDELINE_PROCESSES: "1",
    TIDELINE_GRPC_LISTEN: listenAddress.show(grpc),
    TIDELINE_WEB_LISTEN: "off",
    TIDELINE_ADMIN_LISTEN: "off",
    // Secrets are not shown, but a worker needs them.
    TIDELINE_CHAIN_RPC: revealChainUrls(config.chainRpc),
    DATABASE_URL: targetUrl(database),
  };
}

/** How this very program is started: the executable alone, or the runtime with the program's file. */
function ownCommand(): string[] {
  const [, script] = process.argv;
  return isBundled || script === undefined ? [process.execPath, "serve"] : [process.execPath, script, "serve"];
}
