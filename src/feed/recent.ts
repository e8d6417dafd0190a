import { higher } from "../core/ids";
import type { Message } from "../core/message";
import type { Tail } from "../core/tail";
import { GROUP, type Kind, kindOf, type PerKind, type Topic, WELCOME } from "../core/topic";
import type { Newest, Reader } from "../store/types";
import type { HeadIndex } from "./head-index";
import type { Intake } from "./intake";

export interface RecentParts {
  readonly reader: Pick<Reader, "headIds">;
  readonly tail: Tail;
  readonly heads: HeadIndex;
  readonly intake: Intake;
  /** This much is committed, and not in the tail yet. */
  readonly onBehind: (newest: Newest) => void;
}

/** Messages that are looked at for one answer: whoever missed more wants a page, which the store finds from its beginning. */
const MOST_MESSAGES = 1_000;
/** How long the tail may take to reach what is committed, in milliseconds: then the store is the quicker way. */
const CATCH_UP_MS = 10;

/** Per kind, whether the tail has everything that was committed before a question was asked. */
type CaughtUp = PerKind<Promise<boolean>>;

/**
 * What is new of a topic, out of memory: for the many who ask again and again, and mostly find nothing.
 *
 * Exact, whichever node took a message: the store is asked, after the call, for the newest ids ever given, and the
 * tail has to have reached them. That question is the same for all who ask, so while one is under way, all others
 * share the next.
 */
export class Recent {
  readonly #parts: RecentParts;
  /** Per kind, an id up to which the store has no message any more. */
  readonly #gone: [bigint, bigint] = [0n, 0n];
  #asking: Promise<unknown> | undefined;
  /** The question that has not been asked yet. */
  #next: Promise<CaughtUp> | undefined;

  constructor(parts: RecentParts) {
    this.#parts = parts;
  }

  setGone(kind: Kind, upTo: bigint): void {
    this.#gone[kind] = higher(this.#gone[kind], upTo);
  }

  /** See Feed.recent. */
  async above(topic: Topic, cursor: bigint): Promise<readonly Message[] | undefined> {
    if (this.#find(topic, cursor) === undefined) return undefined;
    const caughtUp = await this.#caughtUp();
    return (await caughtUp[kindOf(topic)]) ? this.#find(topic, cursor) : undefined;
  }

  /** What a topic has above a cursor, up to the tail's head; `undefined` if some of it may have left the tail. */
  #find(topic: Topic, cursor: bigint): readonly Message[] | undefined {
    const { tail, heads } = this.#parts;
    if (heads.isCurrent(topic, cursor) === true) return [];
    const kind = kindOf(topic);
    const above = higher(cursor, this.#gone[kind]);
    const found: Message[] = [];
    for (let offset = tail.newestOf(topic); offset !== 0; offset = tail.previousOf(offset)) {
      const message = tail.get(offset);
      if (message === undefined || message.id <= above) return found.reverse();
      if (found.length === MOST_MESSAGES) return undefined;
      found.push(message);
      if (tail.nothingAbove(offset) <= above) return found.reverse();
    }
    return above >= tail.keptAbove[kind] ? found.reverse() : undefined;
  }

  #caughtUp(): Promise<CaughtUp> {
    this.#next ??= this.#askNext();
    return this.#next;
  }

  async #askNext(): Promise<CaughtUp> {
    // One that fails is the trouble of those who share it.
    await this.#asking?.catch(() => {});
    this.#next = undefined;
    const asked = this.#parts.reader.headIds();
    this.#asking = asked;
    const headIds = await asked;
    return [this.#reach({ kind: GROUP, id: headIds[GROUP] }), this.#reach({ kind: WELCOME, id: headIds[WELCOME] })];
  }

  async #reach(newest: Newest): Promise<boolean> {
    const { tail, intake, onBehind } = this.#parts;
    if (tail.headIds[newest.kind] >= newest.id) return true;
    onBehind(newest);
    // Late, or going down: the store answers, or says what is wrong.
    return await intake.reached(newest.kind, newest.id, CATCH_UP_MS).then(
      () => true,
      () => false,
    );
  }
}
