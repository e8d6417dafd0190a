import type { ReplayId, ReplayScope, SessionEvent } from "../core/session/events";
import type { Feed, Replay } from "../feed/types";

/** The looks and replays that one stream has under way. */
export class Replays {
  readonly #feed: Feed;
  readonly #push: (event: SessionEvent) => void;
  /** `undefined` for a look, which cannot be stopped but is forgotten. */
  readonly #running = new Map<ReplayId, Replay | undefined>();

  /** What comes of them is told to `push`. */
  constructor(feed: Feed, push: (event: SessionEvent) => void) {
    this.#feed = feed;
    this.#push = push;
  }

  look(replay: ReplayId): void {
    this.#running.set(replay, undefined);
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
    this.#running.set(replay, running);
  }

  next(replay: ReplayId): void {
    this.#running.get(replay)?.next();
  }

  cancel(replay: ReplayId): void {
    this.#running.get(replay)?.cancel();
    this.#running.delete(replay);
  }

  cancelAll(): void {
    for (const running of this.#running.values()) running?.cancel();
    this.#running.clear();
  }

  /** Nothing is told of what was cancelled. */
  #tell(replay: ReplayId, last: boolean, event: SessionEvent): void {
    if (!this.#running.has(replay)) return;
    if (last) this.#running.delete(replay);
    this.#push(event);
  }
}
