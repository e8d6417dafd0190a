/** A worker as the process that started it sees it. */

import type { Clock } from "../base/clock";

/** How long a worker may take to say what it has counted, in milliseconds. One that is busier is left out. */
const ANSWER_MS = 1_000;

export interface WorkerCommand {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A process that was started, and can be asked what it has counted. */
export class WorkerProcess {
  readonly #child: Bun.Subprocess<"pipe", "ignore", "inherit">;
  readonly #clock: Clock;
  /** Those who wait for its next answer. */
  readonly #asking = new Set<(answer: string | undefined) => void>();

  constructor({ command, env }: WorkerCommand, clock: Clock) {
    this.#clock = clock;
    this.#child = Bun.spawn([...command], {
      env: { ...env },
      stdin: "pipe",
      stdout: "ignore",
      stderr: "inherit",
      ipc: (answer) => this.#answered(answer),
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves with its exit code. */
  get exited(): Promise<number> {
    return this.#child.exited;
  }

  /** Asks it to stop in good order. */
  stop(): void {
    this.#child.kill("SIGTERM");
  }

  /** What it has counted ({@link Metrics.snapshot}); `undefined` if it does not say so in time. */
  async ask(): Promise<string | undefined> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return undefined;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#asking.add(resolve);
    using _deadline = this.#clock.after(ANSWER_MS, () => resolve(undefined));
    this.#child.send("metrics");
    const answer = await promise;
    this.#asking.delete(resolve);
    return answer;
  }

  /** One answer is for all who wait: each of them asked before it came. */
  #answered(answer: unknown): void {
    if (typeof answer !== "string") return;
    for (const resolve of this.#asking) resolve(answer);
    this.#asking.clear();
  }
}
