import type { Clock } from "../base/clock";
import type { Logger } from "../base/log";
import type { StreamRegistry } from "./stream/host";

/** A port that can be left. Disposing of it cuts what is still open, so that `stop` resolves. */
export interface Port extends AsyncDisposable {
  /** Takes no new connection and no new call. Resolves when the last connection is gone. */
  stop(): Promise<void>;
}

export interface LeaveOptions {
  readonly ports: readonly Port[];
  readonly streams: StreamRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long clients have to finish and to go, in milliseconds, before they are cut. */
  readonly graceMs: number;
}

/**
 * Lets a node's clients go: nothing new is taken, every stream is told to reconnect elsewhere (UNAVAILABLE), calls under
 * way are finished. Resolves when the last connection is gone; those that are still there after `graceMs` are
 * cut, because a client that keeps calling could hold its connection for ever. To be called before what the streams
 * live on is taken away.
 */
export async function leave({ ports, streams, clock, log, graceMs }: LeaveOptions): Promise<void> {
  const begunAt = clock.now();
  log.info("draining", { streams: streams.size, graceMs });
  const stopped = Promise.all(ports.map((port) => port.stop()));
  streams.shutdown();
  const cuts: PromiseLike<void>[] = [];
  {
    using _deadline = clock.after(graceMs, () => {
      cuts.push(...ports.map((port) => port[Symbol.asyncDispose]()));
    });
    await stopped;
  }
  await Promise.all(cuts);
  log.info("drained", { ms: Math.round(clock.now() - begunAt), cut: cuts.length > 0 });
}
