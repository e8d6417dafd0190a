import type { Topic } from "../core/topic";
import type { Reader } from "../store/types";
import type { HeadIndex } from "./head-index";
import type { QueryPool } from "./pool";
import { type Patience, persist } from "./retry";

/** Topics in one query. */
const BATCH_TOPICS = 1_000;

export interface HeadQuestionsParts {
  readonly reader: Reader;
  readonly heads: HeadIndex;
  readonly pool: QueryPool;
  readonly patience: Patience;
}

/** Topics whose heads are asked for in one query. */
interface Batch {
  readonly topics: Topic[];
  /** The index's generation when it was opened: later ones must not join, see HeadIndex.learn. */
  readonly generation: number;
  /** One per topic. */
  readonly answers: Promise<readonly bigint[]>;
}

/** Where a topic's answer will be. */
interface Place {
  readonly batch: Batch;
  readonly at: number;
}

/** Asks the store for the heads of topics that the index does not know. A topic asked for by many is asked for once. */
export class HeadQuestions {
  readonly #parts: HeadQuestionsParts;
  /** The batch that waits for its turn and takes more topics meanwhile. */
  #open: Batch | undefined;
  /** The place that each topic has in a batch, until that is answered. */
  readonly #asked = new Map<Topic, Place>();

  constructor(parts: HeadQuestionsParts) {
    this.#parts = parts;
  }

  /**
   * For each topic an id that none of its messages, as of now, is above; same order.
   * The topics must be unknown to the index at the time of the call.
   * @throws StoreError after retries.
   */
  async ask(topics: readonly Topic[]): Promise<readonly bigint[]> {
    const places = topics.map((topic) => this.#placeOf(topic));
    const batches = [...new Set(places.map(({ batch }) => batch))];
    const answers = await Promise.all(batches.map((batch) => batch.answers));
    const answersOf = new Map(batches.map((batch, nth) => [batch, answers[nth]]));
    return places.map(({ batch, at }) => {
      const id = answersOf.get(batch)?.[at];
      if (id === undefined) throw new Error("a batch of heads lacks an answer for one of its topics");
      return id;
    });
  }

  /**
   * A topic's batch may be under way already. That is good enough: had the topic got a message since, the index
   * would know it, or would have forgotten one and changed its generation.
   */
  #placeOf(topic: Topic): Place {
    const { generation } = this.#parts.heads;
    const asked = this.#asked.get(topic);
    if (asked !== undefined && asked.batch.generation === generation) return asked;
    let batch = this.#open;
    if (batch === undefined || batch.topics.length >= BATCH_TOPICS || batch.generation !== generation) {
      batch = this.#openBatch(generation);
    }
    const place: Place = { batch, at: batch.topics.push(topic) - 1 };
    this.#asked.set(topic, place);
    return place;
  }

  #openBatch(generation: number): Batch {
    const topics: Topic[] = [];
    const batch: Batch = { topics, generation, answers: Promise.resolve().then(() => this.#answer(batch)) };
    this.#open = batch;
    return batch;
  }

  async #answer(batch: Batch): Promise<readonly bigint[]> {
    const { reader, heads, pool, patience } = this.#parts;
    const { topics, generation } = batch;
    const query = () => {
      if (this.#open === batch) this.#open = undefined;
      return reader.heads(topics);
    };
    try {
      const ids = await persist(() => pool.run(query, () => true), patience);
      topics.forEach((topic, at) => {
        const id = ids[at];
        if (id !== undefined) heads.learn(topic, id, generation);
      });
      return ids;
    } finally {
      if (this.#open === batch) this.#open = undefined;
      for (const topic of topics) if (this.#asked.get(topic)?.batch === batch) this.#asked.delete(topic);
    }
  }
}
