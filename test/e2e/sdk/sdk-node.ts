/** A node for SDKs: a process of its own with a database of its own, as `tideline serve` starts it. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUIET_SETTINGS, ServeProcess } from "../../support/serve-process";

const SOURCE = [process.execPath, "src/main.ts"] as const;

type Settings = Readonly<Record<string, string>>;

export class SdkNode implements AsyncDisposable {
  /** RPC names of the streams that were opened so far, in order. */
  readonly streams: string[] = [];
  readonly #dataDir: string;
  readonly #settings: Settings;
  readonly #command: readonly string[];
  #process: ServeProcess | undefined;
  #port = 0;

  private constructor(settings: Settings, command: readonly string[]) {
    this.#command = command;
    this.#dataDir = mkdtempSync(join(tmpdir(), "tideline-sdk-"));
    this.#settings = settings;
  }

  /** @param command the program, unless it is the source. */
  static async start(settings: Settings = {}, command: readonly string[] = SOURCE): Promise<SdkNode> {
    const node = new SdkNode(settings, command);
    await node.restart();
    return node;
  }

  /** Where the Node SDK finds it. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Where the browser SDK finds it. */
  get webUrl(): string {
    return `http://${this.#running.serving.web}`;
  }

  /** The value of a metric by its name and labels as they are printed; 0 if there is none. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${this.#running.serving.admin}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${name} `));
    return Number(line?.slice(name.length) ?? 0);
  }

  /** How often an RPC that is no stream was called. */
  async calls(method: string): Promise<number> {
    return await this.metric(`tideline_calls_total{method="${method}"}`);
  }

  /** Ends the node without giving it a chance to say good-bye. */
  async kill(): Promise<void> {
    await this.#running.end("SIGKILL");
  }

  /** Starts it again after {@link kill}, on its old port, with its old database. */
  async restart(): Promise<void> {
    this.#process = await ServeProcess.start({
      command: [...this.#command, "serve"],
      env: {
        ...process.env,
        ...QUIET_SETTINGS,
        TIDELINE_DATA_DIR: this.#dataDir,
        ...this.#settings,
        TIDELINE_GRPC_LISTEN: `127.0.0.1:${this.#port}`,
      },
      onLine: (line) => this.#hear(line),
    });
    this.#port = this.#process.grpcPort;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.end("SIGTERM");
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  get #running(): ServeProcess {
    if (this.#process === undefined) throw new Error("the node was never started");
    return this.#process;
  }

  #hear(line: string): void {
    if (line.includes('"event":"stream opened"')) this.streams.push(JSON.parse(line).rpc);
  }
}
