/** Somebody else's SDK in a process of its own. */

import { join } from "node:path";

/** Where the SDKs are installed. */
export const SDK_DIR = import.meta.dir;
/** How long an operation may take before the test gives up; SDKs retry for long. */
const OPERATION_MS = 120_000;

export type Json = Readonly<Record<string, unknown>>;

/** An app in a process of Node, told what to do by lines of JSON (apps/lines.mjs). */
export class AppProcess implements AsyncDisposable {
  /** What it has told by itself so far, in order. */
  readonly events: Json[] = [];
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #waiting = new Map<number, PromiseWithResolvers<Json>>();
  #lastId = 0;
  #stderr = "";

  /** @param script a file of apps/, which gets the arguments. */
  constructor(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = Bun.spawn(["node", join(SDK_DIR, "apps", script), ...args], {
      cwd: SDK_DIR,
      env: { ...process.env, ...env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    void this.#hear();
    void this.#hearErrors();
  }

  /** Has it do something. @throws Error with the SDK's words when it fails. */
  async call(operation: string, args: Json): Promise<Json> {
    const id = ++this.#lastId;
    const waiting = Promise.withResolvers<Json>();
    this.#waiting.set(id, waiting);
    this.#child.stdin.write(`${JSON.stringify({ id, operation, args })}\n`);
    await this.#child.stdin.flush();
    const late = AbortSignal.timeout(OPERATION_MS);
    late.addEventListener("abort", () => {
      waiting.reject(new Error(`${operation} took more than ${OPERATION_MS} ms; the SDK said:\n${this.#stderr}`));
    });
    return await waiting.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL"); // the SDK's destructors may wait for a network that is gone
    await this.#child.exited;
  }

  async #hear(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.#child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    }
    const code = await this.#child.exited;
    for (const waiting of this.#waiting.values())
      waiting.reject(new Error(`the app ended with ${code}:\n${this.#stderr}`));
  }

  #take(line: string): void {
    if (!line.startsWith("{")) return; // the SDK's own log
    const said = JSON.parse(line);
    if ("event" in said) {
      this.events.push(said);
      return;
    }
    const waiting = this.#waiting.get(said.id);
    this.#waiting.delete(said.id);
    if ("error" in said) waiting?.reject(new Error(said.error));
    else waiting?.resolve(said.value);
  }

  async #hearErrors(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stderr)
      this.#stderr = (this.#stderr + decoder.decode(chunk, { stream: true })).slice(-8_192);
  }
}
