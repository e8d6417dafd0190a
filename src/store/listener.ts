/** Hears of commits by LISTEN, for ever: what is lost is opened anew, what has gone deaf is noticed. */

import { type Clock, pause } from "../base/clock";
import { type Logger, silentLogger } from "../base/log";
import { ListeningSession } from "./listener-session";
import type { DatabaseTarget } from "./target";
import type { ListenerEvents } from "./types";

export interface ListenerOptions {
  readonly clock: Clock;
  readonly log?: Logger;
  /** How often the session notifies itself, in milliseconds. Default 1 000. */
  readonly canaryMs?: number;
  /** How long such a notification may take, in milliseconds, before the session counts as deaf. Default 3 000. */
  readonly deafMs?: number;
  /** How long it may take to connect and to listen, in milliseconds. Default 5 000. */
  readonly openMs?: number;
  /** From 0 up to 1; spreads the nodes that lost the same server. Default Math.random. */
  readonly random?: () => number;
}

/** Longest pause before a lost session is opened anew, in milliseconds; it doubles with each failure … */
const FIRST_PAUSE_MS = 20;
/** … up to this. The actual pause is between half of it and all of it. */
const MAX_PAUSE_MS = 5_000;

/**
 * Listens until it is disposed of. Resolves when the first attempt has succeeded or failed: a database that does
 * not let us listen (a standby, a transaction pooler) is not an error, only `onHealth(true)` never comes.
 *
 * A session that is lost is opened anew in tens of milliseconds, and a deaf one (its socket open, nothing coming)
 * is given up after `canaryMs + deafMs`. Canaries are heard on a channel of their own and wake nobody.
 * No call comes after the disposal.
 */
export async function startListener(
  target: DatabaseTarget,
  events: ListenerEvents,
  options: ListenerOptions,
): Promise<AsyncDisposable> {
  const stopping = new AbortController();
  const tried = Promise.withResolvers<void>();
  const running = keepListening(target, { events, options, signal: stopping.signal, onTried: tried.resolve });
  await tried.promise;
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
    },
  };
}

interface Keeping {
  readonly events: ListenerEvents;
  readonly options: ListenerOptions;
  readonly signal: AbortSignal;
  /** The first attempt has succeeded or failed. */
  readonly onTried: () => void;
}

async function keepListening(target: DatabaseTarget, keeping: Keeping): Promise<void> {
  const { events, options, signal, onTried } = keeping;
  const { clock, log = silentLogger, random = Math.random } = options;
  let failures = 0;
  while (!signal.aborted) {
    let hearing = false;
    const session = new ListeningSession(target, {
      clock,
      signal,
      canaryMs: options.canaryMs ?? 1_000,
      deafMs: options.deafMs ?? 3_000,
      openMs: options.openMs ?? 5_000,
      onNotify: events.onNotify,
      onListen: () => {
        events.onListen();
        onTried();
      },
      onHearing: () => {
        hearing = true;
        log.info("listening", { failures });
        failures = 0;
        events.onHealth(true);
      },
    });
    const reason = await session.run();
    onTried();
    if (signal.aborted) return;
    if (hearing) events.onHealth(false);
    // The first of a row is worth a warning, its repetitions are not.
    log[failures === 0 ? "warn" : "debug"]("not listening", { reason, failures });
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * (0.5 + random() / 2);
    failures += 1;
    if (!(await pause(clock, pauseMs, signal))) return;
  }
}
