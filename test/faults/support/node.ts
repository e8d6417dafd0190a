/** A node as a process of its own, that can be killed, frozen and started again in the same place. */

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import type { TestCertificate } from "../../support/certificate";
import { freePort } from "../../support/free-port";
import { QUIET_SETTINGS, ServeProcess } from "../../support/serve-process";
import { type Handles, handlesOf } from "./handles";

export interface NodeOptions {
  /** Absent: an embedded database in a directory of its own. */
  readonly databaseUrl?: string;
  /** With them, the node speaks TLS: by the first one, which the others may replace ({@link FaultNode.renew}). */
  readonly certificates?: readonly TestCertificate[];
  /** More settings, `TIDELINE_…`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Program and first arguments; the checkout's unless told. */
  readonly program?: readonly string[];
}

/** A line of the node's log. */
export type LogLine = Readonly<Record<string, unknown>>;

export class FaultNode implements AsyncDisposable {
  /** host:port of the gRPC port, the same for its whole life. */
  readonly address: string;
  readonly adminAddress: string;
  /** What vouches for its certificates; `undefined` without TLS. */
  readonly ca: string | undefined;
  /** Warnings and errors, of all its processes, in order. */
  readonly troubles: LogLine[] = [];
  readonly #command: {
    readonly command: readonly string[];
    readonly env: Readonly<Record<string, string | undefined>>;
  };
  readonly #dataDir: string;
  #process: ServeProcess | undefined;
  #resting: Handles = { rssBytes: 0, fds: 0 };

  private constructor(options: NodeOptions, ports: readonly [number, number]) {
    const { databaseUrl = "", env, certificates = [], program = [process.execPath, "src/main.ts"] } = options;
    this.#dataDir = mkdtempSync(join(tmpdir(), "tideline-fault-"));
    const [certificate] = certificates;
    this.ca = certificate === undefined ? undefined : certificates.map(({ cert }) => cert).join("");
    if (certificate !== undefined) this.renew(certificate);
    this.address = `127.0.0.1:${ports[0]}`;
    this.adminAddress = `127.0.0.1:${ports[1]}`;
    this.#command = {
      command: [...program, "serve"],
      env: {
        ...process.env,
        ...QUIET_SETTINGS,
        TIDELINE_GRPC_LISTEN: this.address,
        TIDELINE_WEB_LISTEN: "off",
        TIDELINE_ADMIN_LISTEN: this.adminAddress,
        TIDELINE_DATA_DIR: this.#dataDir,
        DATABASE_URL: databaseUrl,
        ...(certificate !== undefined && {
          TIDELINE_TLS_CERT: this.#file("cert"),
          TIDELINE_TLS_KEY: this.#file("key"),
        }),
        ...env,
      },
    };
  }

  static async start(options: NodeOptions = {}): Promise<FaultNode> {
    const node = new FaultNode(options, [await freePort(), await freePort()]);
    try {
      await node.startAgain();
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** Directory of the unix socket of its embedded database. */
  get databaseDir(): string | undefined {
    return this.#running.serving.databaseDir;
  }

  /** What its process held when it had just begun to serve. */
  get resting(): Handles {
    return this.#resting;
  }

  /** What it holds now. */
  get handles(): Handles {
    return handlesOf(this.pid);
  }

  /** Starts the process, after it was killed. */
  async startAgain(): Promise<void> {
    this.#process = await ServeProcess.start({
      ...this.#command,
      onLine: (line) => {
        if (/"level":"(warn|error)"/.test(line)) this.troubles.push(JSON.parse(line));
      },
    });
    this.#resting = this.handles;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#running.end("SIGKILL");
    this.#process = undefined;
  }

  /** Puts another certificate in place of the one it speaks TLS with. */
  renew({ cert, key }: TestCertificate): void {
    writeFileSync(this.#file("cert"), cert);
    writeFileSync(this.#file("key"), key);
  }

  /** Whose certificate it shows to a client that comes now. */
  async commonName(): Promise<string> {
    const { hostname: host, port } = new URL(`https://${this.address}`);
    const socket = connect({ host, port: Number(port), servername: "localhost", ca: this.ca, ALPNProtocols: ["h2"] });
    await once(socket, "secureConnect");
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return `${CN}`;
  }

  /** Stops it on the spot, its sockets open. */
  freeze(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** What /metrics says, by name and label, as `tideline_streams_open`. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`http://${this.adminAddress}/metrics`)).text();
    return new Map(
      [...text.matchAll(/^(tideline_[^ ]+) (\S+)$/gm)].map(([, name = "", value]) => [name, Number(value)]),
    );
  }

  /** @throws Error when there is no such metric. */
  async metric(name: string): Promise<number> {
    const value = (await this.metrics()).get(name);
    if (value === undefined) throw new Error(`the node shows no metric ${name}`);
    return value;
  }

  /** What /readyz says. */
  async readiness(
    path: "/readyz" | "/readyz/publishing" = "/readyz",
  ): Promise<{ readonly status: number; readonly notifications: string }> {
    const answer = await fetch(`http://${this.adminAddress}${path}`);
    const body: unknown = await answer.json();
    const notifications =
      typeof body === "object" && body !== null && "notifications" in body ? body.notifications : "";
    return { status: answer.status, notifications: `${notifications}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== undefined) {
      this.thaw();
      await this.#process.end("SIGTERM");
    }
    rmSync(this.#dataDir, { recursive: true, force: true });
    for (const part of ["cert", "key"] as const) rmSync(this.#file(part), { force: true });
  }

  #file(part: "cert" | "key"): string {
    return `${this.#dataDir}.${part}.pem`;
  }

  get #running(): ServeProcess {
    if (this.#process === undefined) throw new Error("the node does not run");
    return this.#process;
  }
}
