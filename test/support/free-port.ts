/** Ports for servers that are started again on the same one. */

import { createServer } from "node:net";

/**
 * Below those that the system gives to clients: a client that comes back while the server is away could otherwise get
 * the very port as its own end, and keep the server from it. Processes that test at the same time have ranges of their own.
 */
const RANGES = 16;
const PORTS = 1_000;
const FIRST_PORT = 16_384 + (process.pid % RANGES) * PORTS;

const given = new Set<number>();

/** A port on which nothing listens, and which this process has not been given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (given.has(port)) continue;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    given.add(port);
    return port;
  }
}
