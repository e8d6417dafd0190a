import type { Close } from "../../src/core/close";
import type { Frame } from "../../src/core/frame";
import type { StreamLimits } from "../../src/core/limits";
import type { SessionAccount } from "../../src/core/session/account";
import type { Effect, SessionEvent } from "../../src/core/session/events";
import type { TailView } from "../../src/core/tail";
import type { Millis } from "../../src/core/time";

/** The four doors of a session, and how it ended: all that the fuzzer uses, so that it can drive copies of the core too. */
export interface SessionLike {
  handle(event: SessionEvent, now: Millis): void;
  nextFrame(now: Millis): Frame | undefined;
  takeEffects(): readonly Effect[];
  readonly deadline: Millis | undefined;
  readonly over: Close | undefined;
  readonly account: SessionAccount;
}

export interface SessionOptionsLike {
  readonly tail: TailView;
  readonly limits: StreamLimits;
  readonly keepaliveMs: number | undefined;
  readonly stallMs: number;
}

export type MakeSession = (options: SessionOptionsLike, now: Millis) => SessionLike;

type SessionClass = new (options: SessionOptionsLike, now: Millis) => SessionLike;

/**
 * The session of a core that lies in some directory.
 * @throws Error when the file there exports no class `Session`.
 */
export async function loadSession(coreDirectory: string): Promise<MakeSession> {
  const module: unknown = await import(`${coreDirectory}/session/session.ts`);
  if (!hasSession(module)) throw new Error(`no class Session in ${coreDirectory}/session/session.ts`);
  const { Session } = module;
  return (options, now) => new Session(options, now);
}

function hasSession(module: unknown): module is { readonly Session: SessionClass } {
  return typeof module === "object" && module !== null && "Session" in module && typeof module.Session === "function";
}
