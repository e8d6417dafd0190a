import type { Topic } from "../../core/topic";
import type { HeardMessage } from "./heard";

/** A group with more history than a server sends ahead to a reader that has stopped. */
export interface LongTopic {
  readonly topic: Topic;
  /** All its messages, ascending. */
  readonly messages: readonly HeardMessage[];
}

/** What the cases of a run share, because it is long in the making: a topic that is written once and then only read. */
export class LongHistory {
  #made: Promise<LongTopic> | undefined;

  /** The topic; the first who asks makes it. */
  get(make: () => Promise<LongTopic>): Promise<LongTopic> {
    this.#made ??= make();
    return this.#made;
  }
}
