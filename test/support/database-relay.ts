/** A TCP port in front of a test database, whose wire can be cut or, worse, go silent. */

import { connect, createServer, type Socket } from "node:net";
import type { DatabaseTarget } from "../../src/store/target";

export interface DatabaseRelay extends AsyncDisposable {
  /** The database behind, through the relay. */
  readonly target: DatabaseTarget;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Keeps all connections open, forwards nothing any more on those there are; new ones work. */
  silence(): void;
  /** Keeps accepting, and forwards nothing on new connections either, until told otherwise. */
  swallow(on: boolean): void;
}

/** Relays a loopback port to a database on a unix socket. */
export async function startRelay(behind: DatabaseTarget): Promise<DatabaseRelay> {
  const { address } = behind;
  if (address.kind !== "socket") throw new Error("the relay expects a unix socket behind it");
  const open = new Map<Socket, Socket>();
  let accepted = 0;
  let swallowing = false;
  const server = createServer((front) => {
    accepted += 1;
    const back = connect(`${address.directory}/.s.PGSQL.${address.port}`);
    open.set(front, back);
    for (const [from, to] of [
      [front, back],
      [back, front],
    ] as const) {
      from.on("error", () => {});
      from.on("close", () => {
        open.delete(front);
        to.destroy();
      });
      if (!swallowing) from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the relay has no port");
  return {
    target: { ...behind, address: { kind: "tcp", host: "127.0.0.1", port: bound.port } },
    get accepted() {
      return accepted;
    },
    silence: () => {
      for (const [front, back] of open) {
        front.unpipe(back);
        back.unpipe(front);
        front.resume();
        back.resume();
      }
    },
    swallow: (on) => {
      swallowing = on;
    },
    [Symbol.asyncDispose]: async () => {
      for (const [front, back] of open) {
        front.destroy();
        back.destroy();
      }
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
