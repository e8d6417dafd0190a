/** A Postgres behind a bad network: forwards a unix socket, and loses what it is told to lose. */

import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseTarget } from "../../src/store/target";

export interface BadNetwork extends AsyncDisposable {
  readonly target: DatabaseTarget;
  /** Connections that are open now. */
  readonly open: number;
  /** Connections ever made. */
  readonly made: number;
  /** From now on: how connections that carry a matching request behave, until set to `undefined`. */
  fault: Fault | undefined;
  /** How often the fault has struck. */
  readonly struck: number;
  /** Cuts every connection. */
  cut(): void;
}

/**
 * What happens when a client's bytes contain `match`. `loseAnswer`: they reach the server, which does what it is
 * asked, but the connection is cut as the answer comes. `silence`: nothing is forwarded in either direction any
 * more, and nobody is told.
 */
export interface Fault {
  readonly kind: "loseAnswer" | "silence";
  readonly match: string;
  /** How often at most. */
  readonly times: number;
}

/** Listens on a socket of its own and forwards to the server of `target`. */
export async function startProxy(target: DatabaseTarget): Promise<BadNetwork> {
  if (target.address.kind !== "socket") throw new Error("the proxy forwards unix sockets only");
  const { directory: behind, port } = target.address;
  const directory = mkdtempSync(join(tmpdir(), "tideline-proxy-"));
  const sockets = new Set<Socket>();
  let [fault, struck, made]: [Fault | undefined, number, number] = [undefined, 0, 0];

  const server = createServer((client) => {
    made++;
    const upstream = createConnection(join(behind, `.s.PGSQL.${port}`));
    let mode: "forward" | Fault["kind"] = "forward";
    const end = () => {
      client.destroy();
      upstream.destroy();
      sockets.delete(client);
    };
    sockets.add(client);
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    client.on("data", (bytes) => {
      if (mode === "forward" && fault !== undefined && struck < fault.times && bytes.includes(fault.match)) {
        mode = fault.kind;
        struck++;
      }
      if (mode !== "silence") upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (mode === "forward") client.write(bytes);
      else if (mode === "loseAnswer") end();
    });
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => server.listen(join(directory, `.s.PGSQL.${port}`), resolve));

  return {
    target: { ...target, address: { kind: "socket", directory, port } },
    get open() {
      return sockets.size;
    },
    get made() {
      return made;
    },
    get struck() {
      return struck;
    },
    get fault() {
      return fault;
    },
    set fault(value) {
      [fault, struck] = [value, 0];
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
