import { once } from "node:events";
import { createServer, connect as dial, type Server, type Socket } from "node:net";

/** A relay before a node that can fail as networks do. */
export class UnreliableRelay implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #swallowed = new Set<Socket>();
  #connections = 0;
  #swallowing = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async before(port: number): Promise<UnreliableRelay> {
    const server = createServer();
    const relay = new UnreliableRelay(server);
    server.on("connection", (near) => relay.#join(near, port));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return relay;
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the relay does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Connections made so far. */
  get connections(): number {
    return this.#connections;
  }

  /** From here on nothing passes on the connections there are, and nobody is told; new ones are fine. */
  freeze(): void {
    for (const socket of this.#sockets) {
      socket.removeAllListeners("data");
      socket.pause();
    }
  }

  /**
   * On: nothing passes any more, neither on the connections there are nor on new ones, and nobody is told.
   * Off: new connections are fine, and those made meanwhile are cut.
   */
  blackHole(on: boolean): void {
    this.#swallowing = on;
    if (on) this.freeze();
    else for (const socket of this.#swallowed) socket.destroy();
  }

  /** Ends the connections there are; new ones are fine. */
  cut(): void {
    for (const socket of [...this.#sockets, ...this.#swallowed]) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #join(near: Socket, port: number): void {
    this.#connections++;
    if (this.#swallowing) {
      this.#swallowed.add(near);
      near.on("error", () => {});
      near.on("close", () => this.#swallowed.delete(near));
      near.resume();
      return;
    }
    const far = dial(port, "127.0.0.1");
    const ends = [
      [near, far],
      [far, near],
    ] as const;
    for (const [from, to] of ends) {
      this.#sockets.add(from);
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
