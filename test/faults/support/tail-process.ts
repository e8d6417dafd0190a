/** `tideline tail` as a process of its own: a client that can be suspended. */

import { join } from "node:path";
import { type Topic, topicBytes } from "../../../src/client";

const ROOT = join(import.meta.dir, "../../..");

export class TailProcess implements AsyncDisposable {
  /** Ids of the messages that it printed, in order. */
  readonly ids: number[] = [];
  #live = false;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "ignore">;
  readonly #reading: Promise<void>;

  private constructor(child: Bun.Subprocess<"ignore", "pipe", "ignore">) {
    this.#child = child;
    this.#reading = this.#read();
  }

  /** Prints groups from their beginning. */
  static start(address: string, topics: readonly Topic[]): TailProcess {
    const groups = topics.map((topic) => `group:0x${Buffer.from(topicBytes(topic).subarray(1)).toString("hex")}`);
    const args = ["src/main.ts", "tail", "--json", `--address=http://${address}`, ...groups];
    const child = Bun.spawn([process.execPath, ...args], {
      cwd: ROOT,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    return new TailProcess(child);
  }

  /** Whether it said that its topics are live. */
  get isLive(): boolean {
    return this.#live;
  }

  suspend(): void {
    this.#child.kill("SIGSTOP");
  }

  wake(): void {
    this.#child.kill("SIGCONT");
  }

  async end(): Promise<void> {
    this.wake();
    this.#child.kill("SIGTERM");
    await this.#reading;
    await this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(JSON.parse(line));
    }
  }

  #take(line: { readonly event: string; readonly id?: string }): void {
    if (line.event === "live") this.#live = true;
    if (line.event === "message") this.ids.push(Number(line.id));
  }
}
