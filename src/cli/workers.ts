/** More processes on a node's gRPC port: how it uses more than one core. */

import { settingsEnvironment } from "../base/args-help";
import { type ListenAddress, listenAddress, revealChainUrls } from "../base/args-values";
import { type Clock, pause } from "../base/clock";
import { SERVE_SETTINGS, type ServeConfig } from "../base/config";
import type { Logger } from "../base/log";
import { isBundled } from "../store/embedded/bundled";
import { type DatabaseTarget, targetUrl } from "../store/target";
import { type WorkerCommand, WorkerProcess, type WorkerQuestion } from "./worker-process";

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

/** The other processes of a node. */
export class Workers {
  readonly #parts: WorkerParts;
  readonly #running = new Set<WorkerProcess>();

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /**
   * Starts `config.processes - 1` nodes on the port and the database of this one, and starts each again that ends.
   *
   * The system spreads connections over the processes; each has a tail and a feed of its own, and they tell each
   * other of commits through the database, like nodes on different machines. The web and admin ports stay with the first.
   * A worker ends when this process does, even by kill -9: its stdin ends then.
   */
  start(config: ServeConfig, node: Joined): AsyncDisposable {
    const stopping = new AbortController();
    const worker = { command: ownCommand(), env: workerEnvironment(config, node, this.#parts.env) };
    const workers = Array.from({ length: config.processes - 1 }, (_, index) =>
      this.#keepRunning(worker, this.#parts.log.with({ worker: index + 1 }), stopping.signal),
    );
    return {
      [Symbol.asyncDispose]: async () => {
        stopping.abort();
        await Promise.all(workers);
      },
    };
  }

  /** What each answers, without those that do not in time. */
  async ask(question: WorkerQuestion): Promise<readonly string[]> {
    const answers = await Promise.all([...this.#running].map((worker) => worker.ask(question)));
    return answers.filter((answer) => answer !== undefined);
  }

  async #keepRunning(command: WorkerCommand, log: Logger, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const startedAt = clock.now();
      const worker = new WorkerProcess(command, clock);
      const { pid } = worker;
      log.info("worker started", { pid });
      this.#running.add(worker);
      const stop = () => worker.stop();
      signal.addEventListener("abort", stop, { once: true });
      const code = await worker.exited;
      signal.removeEventListener("abort", stop);
      this.#running.delete(worker);
      if (signal.aborted) return;
      log.error("a worker ended; starting it again", { pid, code, pauseMs });
      if (clock.now() - startedAt > WELL_MS) pauseMs = FIRST_PAUSE_MS;
      if (!(await pause(clock, pauseMs, signal))) return;
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
  }
}

/** The settings of this node, but for what a worker shares with it or leaves to it. */
function workerEnvironment(
  config: ServeConfig,
  { grpc, database }: Joined,
  env: WorkerParts["env"],
): Readonly<Record<string, string | undefined>> {
  return {
    ...env,
    ...settingsEnvironment(SERVE_SETTINGS, config),
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
