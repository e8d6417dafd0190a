import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import type { StreamHost } from "./runner-host";

/** A port that can be left. Disposing of it cuts what is still open, so that `stop` resolves. */
export interface Port extends AsyncDisposable {
  /** Takes no new connection and no new call. Resolves when the last connection is gone. */
  stop(): Promise<void>;
}

export interface LifecycleOptions {
  readonly streams: Pick<StreamHost, "streams">;
  readonly servers: readonly Port[];
  readonly clock: Clock;
  readonly log: Logger;
  /** How long clients have to finish and to go, in milliseconds, before they are cut. */
  readonly drainMs: number;
}

/**
 * Lets a node's clients go when it is disposed of: nothing new is taken, every stream is told to reconnect elsewhere
 * (UNAVAILABLE), calls under way are finished. Whoever is still there after `drainMs` is cut, because a client that
 * keeps calling could hold its connection for ever. To be disposed of before what the streams live on.
 */
export class Lifecycle implements AsyncDisposable {
  readonly #options: LifecycleOptions;
  #left: Promise<void> | undefined;

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    const { streams, servers, clock, log, drainMs } = this.#options;
    const begunAt = clock.now();
    log.info("draining", { streams: streams.streams.size, drainMs });
    const stopped = Promise.all(servers.map((server) => server.stop()));
    streams.streams.shutdown();
    const cuts: PromiseLike<void>[] = [];
    {
      using _deadline = clock.after(drainMs, () => {
        cuts.push(...servers.map((server) => server[Symbol.asyncDispose]()));
      });
      await stopped;
    }
    await Promise.all(cuts);
    log.info("drained", { ms: Math.round(clock.now() - begunAt), cut: cuts.length > 0 });
  }
}
