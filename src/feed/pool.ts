/** Why a query was never asked: whoever wanted its answer has gone. */
export class Unwanted extends Error {
  constructor() {
    super("nobody wants the answer any more");
    this.name = "Unwanted";
  }
}

interface Turn {
  readonly take: () => void;
}

/**
 * Runs a bounded number of queries at once; the others wait in the order in which they came.
 *
 * Whoever has many queries to make asks for the next one when it has the answer to the last. So the turns go
 * round: a scan of a million rows and a scan of ten get one query each, again and again.
 */
export class QueryPool {
  readonly #limit: number;
  readonly #waiting = new Set<Turn>();
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Queries that run now. */
  get running(): number {
    return this.#running;
  }

  /** Queries that wait for their turn: at most one per replay, and those that ask for heads. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * The answer of `query`, once it has had its turn. `isWanted` is asked when the turn has come.
   * @throws Unwanted if it says no; otherwise whatever the query throws.
   */
  async run<T>(query: () => Promise<T>, isWanted: () => boolean): Promise<T> {
    if (this.#running >= this.#limit) await this.#turn();
    else this.#running += 1;
    try {
      if (!isWanted()) throw new Unwanted();
      return await query();
    } finally {
      this.#pass();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add({ take: resolve }));
  }

  /** Hands this turn to whoever has waited longest. */
  #pass(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next.take();
      return;
    }
    this.#running -= 1;
  }
}
