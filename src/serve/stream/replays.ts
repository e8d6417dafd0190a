import type { ReplayId, ReplayScope, SessionEvent } from "../../core/session/events";
import type { Feed, Replay } from "../../feed/types";

/** Who is told what comes of a replay. */
export interface EventTaker {
  push(event: SessionEvent): void;
}

/** The looks and replays that one stream has under way. */
export class Replays {
  readonly #feed: Feed;
  readonly #stream: EventTaker;
  /** `undefined` for a look, which cannot be stopped but is forgotten. No map at all for most of a stream's life. */
  #running: Map<ReplayId, Replay | undefined> | undefined;

  constructor(feed: Feed, stream: EventTaker) {
    this.#feed = feed;
    this.#stream = stream;
  }

  look(replay: ReplayId): void {
    this.#keep(replay, undefined);
    this.#feed.look().then(
      () => this.#tell(replay, true, { kind: "looked", replay }),
      () => this.#tell(replay, true, { kind: "replayFailed", replay, detail: "the store could not be read" }),
    );
  }

  start(replay: ReplayId, scope: ReplayScope): void {
    const running = this.#feed.replay(scope, {
      page: (messages, done) => this.#tell(replay, done, { kind: "page", replay, messages, done }),
      failed: (detail) => this.#tell(replay, true, { kind: "replayFailed", replay, detail }),
    });
    this.#keep(replay, running);
  }

  next(replay: ReplayId): void {
    this.#running?.get(replay)?.next();
  }

  cancel(replay: ReplayId): void {
    this.#running?.get(replay)?.cancel();
    this.#forget(replay);
  }

  cancelAll(): void {
    const running = this.#running;
    this.#running = undefined;
    for (const replay of running?.values() ?? []) replay?.cancel();
  }

  #keep(replay: ReplayId, running: Replay | undefined): void {
    this.#running ??= new Map();
    this.#running.set(replay, running);
  }

  #forget(replay: ReplayId): void {
    this.#running?.delete(replay);
    if (this.#running?.size === 0) this.#running = undefined;
  }

  /** Nothing is told of what was cancelled. */
  #tell(replay: ReplayId, last: boolean, event: SessionEvent): void {
    if (this.#running?.has(replay) !== true) return;
    if (last) this.#forget(replay);
    this.#stream.push(event);
  }
}
