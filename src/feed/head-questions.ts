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
  readonly answers: Promise<ReadonlyMap<Topic, bigint>>;
}

/** Asks the store for the heads of topics that the index does not know. A topic asked for by many is asked for once. */
export class HeadQuestions {
  readonly #parts: HeadQuestionsParts;
  /** The batch that waits for its turn and takes more topics meanwhile. */
  #open: Batch | undefined;
  /** The batch that each topic is in, until it is answered. */
  readonly #asked = new Map<Topic, Batch>();

  constructor(parts: HeadQuestionsParts) {
    this.#parts = parts;
  }

  /**
   * For each topic an id that none of its messages, as of now, is above; same order.
   * The topics must be unknown to the index at the time of the call.
   * @throws StoreError after retries.
   */
  async ask(topics: readonly Topic[]): Promise<readonly bigint[]> {
    const batches = topics.map((topic) => this.#batchOf(topic));
    const distinct = [...new Set(batches)];
    const answers = new Map<Topic, bigint>();
    for (const answered of await Promise.all(distinct.map((batch) => batch.answers))) {
      for (const [topic, id] of answered) answers.set(topic, id);
    }
    return topics.map((topic) => headIn(answers, topic));
  }

  /**
   * A topic's batch may be under way already. That is good enough: had the topic got a message since, the index
   * would know it, or would have forgotten one and changed its generation.
   */
  #batchOf(topic: Topic): Batch {
    const { generation } = this.#parts.heads;
    const asked = this.#asked.get(topic);
    if (asked !== undefined && asked.generation === generation) return asked;
    let batch = this.#open;
    if (batch === undefined || batch.topics.length >= BATCH_TOPICS || batch.generation !== generation) {
      batch = this.#openBatch(generation);
    }
    batch.topics.push(topic);
    this.#asked.set(topic, batch);
    return batch;
  }

  #openBatch(generation: number): Batch {
    const topics: Topic[] = [];
    const batch: Batch = { topics, generation, answers: Promise.resolve().then(() => this.#answer(batch)) };
    this.#open = batch;
    return batch;
  }

  async #answer(batch: Batch): Promise<ReadonlyMap<Topic, bigint>> {
    const { reader, heads, pool, patience } = this.#parts;
    const { topics, generation } = batch;
    const query = () => {
      if (this.#open === batch) this.#open = undefined;
      return reader.heads(topics);
    };
    try {
      const ids = await persist(() => pool.run(query, () => true), patience);
      const answers = new Map<Topic, bigint>();
      topics.forEach((topic, at) => {
        const id = ids[at] ?? 0n;
        answers.set(topic, id);
        heads.learn(topic, id, generation);
      });
      return answers;
    } finally {
      if (this.#open === batch) this.#open = undefined;
      for (const topic of topics) if (this.#asked.get(topic) === batch) this.#asked.delete(topic);
    }
  }
}

function headIn(answers: ReadonlyMap<Topic, bigint>, topic: Topic): bigint {
  const id = answers.get(topic);
  if (id === undefined) throw new Error("a batch of heads lacks an answer for one of its topics");
  return id;
}
