import type { Clock } from "../../base/clock";
import type { Logger } from "../../base/log";
import { messageOf } from "../../base/thrown";
import type { ConnectionGuard } from "./guard";
import { SocketBytes } from "./socket-bytes";

/** How often it is asked whether to look, in milliseconds. */
const TICK_MS = 500;
/** How much CPU time the process spends between two looks, in milliseconds: one that has nothing to do is not flooded. */
const LOOK_CPU_MS = 100;

/**
 * Notices connections that send what is no request. Most frames of HTTP/2 pass without anybody hearing of them
 * (PRIORITY, window updates, acknowledgements, headers that are refused), so they cannot be counted; but they take
 * bytes, and the bytes of requests are known.
 */
export class FloodWatch implements Disposable {
  readonly #clock: Clock;
  readonly #guards: () => Iterable<ConnectionGuard>;
  readonly #sockets: SocketBytes | undefined;
  #lookedAt = process.cpuUsage();
  #timer: Disposable | undefined;

  constructor(
    { clock, log }: { readonly clock: Clock; readonly log: Logger },
    guards: () => Iterable<ConnectionGuard>,
  ) {
    this.#clock = clock;
    this.#guards = guards;
    this.#sockets = openSockets(log);
  }

  start(): void {
    if (this.#sockets !== undefined) this.#arm();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #arm(): void {
    this.#timer = this.#clock.after(TICK_MS, () => {
      const { user, system } = process.cpuUsage(this.#lookedAt);
      if (user + system >= LOOK_CPU_MS * 1_000) this.#look();
      this.#arm();
    });
  }

  #look(): void {
    this.#lookedAt = process.cpuUsage();
    for (const guard of this.#guards()) {
      const bytes = this.#sockets?.receivedBy(guard.socket);
      if (bytes !== undefined) guard.received(bytes);
    }
  }
}

/** Without it a node serves all the same: a flood takes time from others, and nothing else. */
function openSockets(log: Logger): SocketBytes | undefined {
  try {
    return new SocketBytes();
  } catch (error) {
    log.warn("floods of frames are not noticed", { reason: messageOf(error) });
    return undefined;
  }
}
