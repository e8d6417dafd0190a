/** Many streams of a client that goes away all at once. */

import { join } from "node:path";
import { type Topic, topicBytes } from "../../../src/core/topic";

export interface CrowdOptions {
  /** host:port of the gRPC port. */
  readonly address: string;
  readonly connections: number;
  /** Of each connection. */
  readonly streams: number;
  /** Groups; every stream wants one of them, in turn. */
  readonly topics: readonly Topic[];
}

export class Crowd implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #said: AsyncIterator<string>;

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
    this.#said = child.stdout.pipeThrough(new TextDecoderStream()).values();
  }

  /** Resolves when the node has read all requests of all streams. */
  static async open({ address, connections, streams, topics }: CrowdOptions): Promise<Crowd> {
    const groups = topics.map((topic) => Buffer.from(topicBytes(topic).subarray(1)).toString("hex"));
    const args = [`--port=${address.split(":").at(-1)}`, `--connections=${connections}`, `--streams=${streams}`];
    const program = join(import.meta.dir, "crowd-client.ts");
    const command = [process.execPath, program, ...args, `--topics=${groups.join(",")}`];
    const crowd = new Crowd(Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" }));
    await crowd.#expect("open");
    return crowd;
  }

  /** Resets all connections at once (RST); resolves when that is done. */
  async reset(): Promise<void> {
    this.#child.stdin.write("reset\n");
    await this.#child.stdin.flush();
    await this.#expect("reset");
  }

  /** kill -9; the kernel closes the connections. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }

  async #expect(word: string): Promise<void> {
    const { value } = await this.#said.next();
    if (`${value}`.trim() !== word) throw new Error(`the crowd was to say ${word}, and said ${value ?? "nothing"}`);
  }
}
