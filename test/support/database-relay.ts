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
  /**
   * Forwards nothing any more to and from sessions of an application, those there are and new ones: their sockets
   * stay open and silent. `undefined`: new ones are served again.
   */
  deafen(applicationName: string | undefined): void;
}

/** One connection through the relay. */
interface Way {
  readonly front: Socket;
  readonly back: Socket;
  /** What the client said first: who it is, the name of its application among it. */
  greeting: string;
}

/** Relays a loopback port to a database on a unix socket. */
export async function startRelay(behind: DatabaseTarget): Promise<DatabaseRelay> {
  const { address } = behind;
  if (address.kind !== "socket") throw new Error("the relay expects a unix socket behind it");
  const ways = new Set<Way>();
  let accepted = 0;
  let swallowing = false;
  let deaf: string | undefined;
  const isDeaf = ({ greeting }: Way) => deaf !== undefined && greeting.includes(`application_name\0${deaf}\0`);
  const server = createServer((front) => {
    accepted += 1;
    const back = connect(`${address.directory}/.s.PGSQL.${address.port}`);
    const way: Way = { front, back, greeting: "" };
    ways.add(way);
    for (const [from, to] of [
      [front, back],
      [back, front],
    ] as const) {
      from.on("error", () => {});
      from.on("close", () => {
        ways.delete(way);
        to.destroy();
      });
    }
    if (swallowing) return;
    front.once("data", (first) => {
      way.greeting = first.toString("latin1");
      if (isDeaf(way)) return;
      back.write(first);
      front.pipe(back);
      back.pipe(front);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the relay has no port");
  return {
    target: { ...behind, address: { kind: "tcp", host: "127.0.0.1", port: bound.port } },
    get accepted() {
      return accepted;
    },
    silence: () => ways.forEach(silence),
    swallow: (on) => {
      swallowing = on;
    },
    deafen: (applicationName) => {
      deaf = applicationName;
      for (const way of ways) if (isDeaf(way)) silence(way);
    },
    [Symbol.asyncDispose]: async () => {
      for (const { front, back } of ways) {
        front.destroy();
        back.destroy();
      }
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function silence({ front, back }: Way): void {
  front.unpipe(back);
  back.unpipe(front);
  front.resume();
  back.resume();
}
