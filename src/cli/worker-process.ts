/** A worker as the process that started it sees it. */

import type { Clock } from "../base/clock";

/** What a worker can be asked: what it has counted ({@link Metrics.snapshot}); its streams ({@link StreamList} as JSON). */
export type WorkerQuestion = "metrics" | "streams";

/** How long a worker may take to answer, in milliseconds. One that is busier is left out. */
const ANSWER_MS = 1_000;

export interface WorkerCommand {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Somebody who waits for an answer. */
interface Asker {
  readonly question: WorkerQuestion;
  readonly resolve: (answer: string | undefined) => void;
}

/** A process that was started, and can be asked questions. */
export class WorkerProcess {
  readonly #child: Bun.Subprocess<"pipe", "ignore", "inherit">;
  readonly #clock: Clock;
  readonly #asking = new Set<Asker>();

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

  /** Its answer; `undefined` if it does not come in time. */
  async ask(question: WorkerQuestion): Promise<string | undefined> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return undefined;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const asker: Asker = { question, resolve };
    this.#asking.add(asker);
    using _deadline = this.#clock.after(ANSWER_MS, () => resolve(undefined));
    this.#child.send(question);
    const answer = await promise;
    this.#asking.delete(asker);
    return answer;
  }

  /** One answer is for all who wait for such a one: each of them asked before it came. */
  #answered(message: unknown): void {
    if (typeof message !== "object" || message === null || !("question" in message) || !("answer" in message)) return;
    const { question, answer } = message;
    if (typeof answer !== "string") return;
    for (const asker of this.#asking) if (asker.question === question) asker.resolve(answer);
  }
}
