import { once } from "node:events";
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { Logger } from "../base/log";
import type { Certificate } from "./certificate";

export interface TlsFrontOptions {
  readonly certificate: Certificate;
  /** Takes connections whose client chose HTTP/2; without, none may. */
  readonly onHttp2?: (socket: Socket) => void;
  /** Takes connections whose client chose HTTP/1.1, or nothing. */
  readonly onHttp1: (socket: Socket) => void;
  /** Connections at once, those in their handshake included; further ones are closed as they come. */
  readonly maxConnections: number;
  /** How long a handshake may take, in milliseconds. */
  readonly handshakeMs: number;
  readonly log: Logger;
}

/** Where to listen. */
export interface ListenAt {
  readonly host: string;
  readonly port: number;
  readonly reusePort?: boolean;
}

/**
 * A TLS port that hands its connections on, each to the server of the protocol that its client chose in the
 * handshake (ALPN): so one port serves HTTP/2 and HTTP/1.1, and a renewed certificate is taken for new connections
 * while the old ones go on.
 */
export class TlsFront {
  readonly #server: Server;
  readonly #log: Logger;
  readonly #sockets = new Set<Socket>();
  #closed: Promise<void> | undefined;

  constructor({ certificate, onHttp2, onHttp1, maxConnections, handshakeMs, log }: TlsFrontOptions) {
    this.#log = log;
    const ALPNProtocols = onHttp2 === undefined ? ["http/1.1"] : ["h2", "http/1.1"];
    this.#server = createServer({ ...certificate.current, ALPNProtocols, handshakeTimeout: handshakeMs });
    certificate.onRenewed((pair) => this.#server.setSecureContext(pair));
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      // Without a listener an error of one connection would end the process.
      socket.on("error", (error) => log.debug("TLS connection failed", { error: error.message }));
      if (this.#sockets.size > maxConnections) socket.destroy();
    });
    this.#server.on("secureConnection", (socket) => {
      if (socket.alpnProtocol === "h2" && onHttp2 !== undefined) onHttp2(socket);
      else onHttp1(socket);
    });
    this.#server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      log.debug("TLS handshake failed", { error: error.message });
      socket.destroy();
    });
  }

  get address(): ReturnType<Server["address"]> {
    return this.#server.address();
  }

  /** @throws the system's error. */
  async listen(at: ListenAt): Promise<void> {
    const listening = once(this.#server, "listening");
    this.#server.listen({ ...at });
    await listening;
    this.#server.on("error", (error) => this.#log.error("TLS port failed", { error: error.message }));
  }

  /** Takes no new connection. Resolves when the last one is closed. */
  stop(): Promise<void> {
    this.#closed ??= new Promise((resolve) => this.#server.close(() => resolve()));
    return this.#closed;
  }

  /** Cuts all connections there are. */
  kill(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
