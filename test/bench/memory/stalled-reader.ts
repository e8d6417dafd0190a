/** Clients that subscribe and then take nothing more. */

import { connect, type Socket } from "node:net";
import { mutateRequest } from "../support/protobuf";
import {
  ACK,
  DATA,
  END_HEADERS,
  envelope,
  frame,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  NOTHING,
  PREFACE,
  requestHeaders,
  SETTINGS,
  windowUpdate,
} from "../support/raw-h2-frames";

/**
 * How it stalls: `window`: it reads its socket but never opens a flow-control window again, so that it takes 64 KiB a
 * connection; `socket`: its windows are wide open but it does not read.
 */
export type Stall = "window" | "socket";

const WIDE_WINDOW_BYTES = 0x7fff_ffff;

/** One connection whose streams all subscribe the same topic. */
export class StalledConnection {
  readonly #socket: Socket;
  readonly #stall: Stall;
  #isAcked = false;

  private constructor(socket: Socket, stall: Stall) {
    this.#socket = socket;
    this.#stall = stall;
    // Settings must be acknowledged; what else comes is of no interest.
    socket.on("data", () => {
      if (!this.#isAcked) socket.write(frame(SETTINGS, ACK, 0, NOTHING));
      this.#isAcked = true;
    });
    socket.on("close", () => {
      throw new Error("a stalled reader was disconnected");
    });
  }

  static async open(address: string, stall: Stall, streams: number, topic: Uint8Array): Promise<StalledConnection> {
    const { hostname, port } = new URL(`http://${address}`);
    const socket = connect(Number(port), hostname);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve);
    socket.once("error", reject);
    await promise;
    const connection = new StalledConnection(socket, stall);
    socket.write(Buffer.concat([...opening(stall), ...subscriptions(address, streams, topic)]));
    return connection;
  }

  /** From now on it takes nothing, once its subscriptions are known to be made. */
  stall(): void {
    if (this.#stall === "socket") this.#socket.pause();
  }

  /** Ends it, which is no fault of the node. */
  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }
}

function opening(stall: Stall): readonly Buffer[] {
  if (stall === "window") return [PREFACE, frame(SETTINGS, 0, 0, NOTHING)];
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(INITIAL_WINDOW_SIZE, 0);
  settings.writeUInt32BE(WIDE_WINDOW_BYTES, 2);
  return [PREFACE, frame(SETTINGS, 0, 0, settings), windowUpdate(0, WIDE_WINDOW_BYTES - 65_535)];
}

function subscriptions(address: string, streams: number, topic: Uint8Array): readonly Buffer[] {
  const headers = requestHeaders(address, "/xmtp.mls.api.v1.MlsApi/Subscribe");
  const request = envelope(mutateRequest(1n, [topic], 0n));
  return Array.from({ length: streams }, (_, nth) =>
    Buffer.concat([frame(HEADERS, END_HEADERS, 2 * nth + 1, headers), frame(DATA, 0, 2 * nth + 1, request)]),
  );
}
