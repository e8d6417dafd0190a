import { type Kind, type PerKind, withKind } from "../core/topic";
import { type Row, Truth, type TruthView } from "./truth";

/** A moment of a case: the next thing that happens has a higher one. */
export type Tick = number;

/** Messages that a case published with one request. */
interface Publication {
  readonly begun: Tick;
  acked: Tick | undefined;
  rows: readonly Row[];
}

/**
 * What a case published, and when: the truth its streams are measured against. Time is counted in ticks that all
 * streams of the case share. The ids are what the server told later, in answer to a query.
 */
export class Ledger {
  readonly #publications: Publication[] = [];
  readonly #cursors = new Map<string, bigint>();
  #tick: Tick = 0;

  /** Something happens: its moment. */
  next(): Tick {
    this.#tick += 1;
    return this.#tick;
  }

  begin(): Publication {
    const publication: Publication = { begun: this.next(), acked: undefined, rows: [] };
    this.#publications.push(publication);
    return publication;
  }

  /** The newest id of a topic that is known; 0 if there is none. */
  newestOf(topic: string): bigint {
    return this.#cursors.get(topic) ?? 0n;
  }

  /** Ids of a topic that are known, ascending. */
  idsOf(topic: string): readonly bigint[] {
    const rows = this.#publications.flatMap((publication) => publication.rows);
    return rows
      .filter((row) => row.topic === topic)
      .toSorted(byId)
      .map(({ id }) => id);
  }

  /** Takes note of the ids of a publication, ascending. */
  learn(publication: Publication, rows: readonly Row[]): void {
    publication.rows = rows;
    for (const { topic, id } of rows) if (id > this.newestOf(topic)) this.#cursors.set(topic, id);
  }

  /** Takes note of messages that were there before the case began. */
  adopt(rows: readonly Row[]): void {
    const first = rows[0];
    if (first !== undefined && this.newestOf(first.topic) > 0n) return;
    const publication: Publication = { begun: 0, acked: 0, rows: [] };
    this.#publications.push(publication);
    this.learn(publication, rows);
  }

  acked(publication: Publication): void {
    publication.acked = this.next();
  }

  /** The truth as it is known now. Its heads are those of the moment it is set to. */
  truth(): TruthAtTime {
    return new TruthAtTime(this.#publications);
  }
}

/** All rows of a case, with heads that depend on the moment looked at. */
export class TruthAtTime implements TruthView {
  readonly #truth = new Truth();
  readonly #publications: readonly Publication[];
  #at: Tick = 0;
  #isPublisher = true;

  constructor(publications: readonly Publication[]) {
    this.#publications = publications;
    const rows = publications.flatMap((publication) => publication.rows);
    for (const row of rows.toSorted(byId)) this.#truth.inserted(row);
  }

  /**
   * Sets the moment that is looked at, and whether by the process that took the messages: another one may hear of
   * them a little after their publisher was told.
   */
  lookFrom(tick: Tick, isPublisher: boolean): void {
    this.#at = tick;
    this.#isPublisher = isPublisher;
  }

  get heads(): PerKind<bigint> {
    return this.#highest(({ begun }) => begun);
  }

  get acked(): PerKind<bigint> {
    return this.#isPublisher ? this.promised : [0n, 0n];
  }

  get promised(): PerKind<bigint> {
    return this.#highest(({ acked }) => acked);
  }

  topicAt(kind: Kind, id: bigint): string | undefined {
    return this.#truth.topicAt(kind, id);
  }

  after(topic: string, id: bigint): bigint | undefined {
    return this.#truth.after(topic, id);
  }

  #highest(when: (publication: Publication) => Tick | undefined): PerKind<bigint> {
    let highest: PerKind<bigint> = [0n, 0n];
    for (const publication of this.#publications) {
      const tick = when(publication);
      if (tick === undefined || tick > this.#at) continue;
      for (const { kind, id } of publication.rows) if (id > highest[kind]) highest = withKind(highest, kind, id);
    }
    return highest;
  }
}

function byId(a: Row, b: Row): number {
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}
