/**
 * The web port: gRPC-Web and Connect over HTTP/1.1, for browsers and for whoever has no gRPC.
 *
 * It is node:http and not Bun.serve, which holds the end of a response's headers back until the first byte of its
 * body: a client that subscribes to a silent topic would wait forever for its headers.
 */

import { once } from "node:events";
import type { Server } from "node:http";
import { listenError } from "../../base/listen-error";
import type { Certificate } from "../certificate";
import { type ListenAt, TlsFront } from "../tls-front";
import { WebDoor, type WebDoorOptions } from "./door";

export interface WebOptions extends WebDoorOptions, ListenAt {
  /** With it, the port speaks HTTPS only. */
  readonly certificate?: Certificate | undefined;
}

/** A web port that is listened on. Disposing of it cuts what is still open. */
export interface WebServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** Takes no new connection. Resolves when the last one is closed. */
  stop(): Promise<void>;
}

const MAX_CONNECTIONS = 20_000;
const HANDSHAKE_MS = 10_000;

/**
 * Listens on the web port. A `port` of 0: any that is free.
 * @throws Error that says what to do when the address cannot be listened on.
 */
export async function startWeb(options: WebOptions): Promise<WebServer> {
  const { host, port, certificate } = options;
  const door = new WebDoor(options);
  const listener =
    certificate === undefined ? clearListener(door.server, options) : tlsListener(door, certificate, options);
  try {
    await listener.listen({ host, port });
  } catch (error) {
    throw listenError({ name: "web port", host, port, setting: "TIDELINE_WEB_LISTEN" }, error);
  }
  const address = listener.address;
  const stop = () => {
    const stopped = listener.stop();
    door.stop();
    return stopped;
  };
  return {
    address: { host, port: typeof address === "object" && address !== null ? address.port : port },
    stop,
    [Symbol.asyncDispose]: async () => {
      const stopped = stop();
      listener.kill();
      await stopped;
    },
  };
}

/** What a door's connections come from. */
type Listener = Pick<TlsFront, "listen" | "address" | "stop" | "kill">;

function tlsListener(door: WebDoor, certificate: Certificate, { log }: WebOptions): Listener {
  return new TlsFront({
    certificate,
    onHttp1: (socket) => door.accept(socket),
    maxConnections: MAX_CONNECTIONS,
    handshakeMs: HANDSHAKE_MS,
    log,
  });
}

function clearListener(server: Server, { log }: WebOptions): Listener {
  return {
    get address() {
      return server.address();
    },
    listen: async ({ host, port }) => {
      const listening = once(server, "listening");
      server.listen(port, host);
      await listening;
      server.on("error", (error) => log.error("web port failed", { error: error.message }));
    },
    stop: async () => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      await closed;
    },
    kill: () => server.closeAllConnections(),
  };
}
