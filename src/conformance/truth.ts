import { higher } from "../core/ids";
import { KINDS, type Kind, type PerKind, withKind } from "../core/topic";

/** What can be known of a stored message from outside. */
export interface Row {
  readonly kind: Kind;
  readonly id: bigint;
  /** Kind byte and identifier, one character per byte. */
  readonly topic: string;
}

/** What a checker asks of the truth. */
export interface TruthView {
  /** Per kind, the newest id there is. */
  readonly heads: PerKind<bigint>;
  /** Per kind, the newest id whose publisher was told so by this node: who subscribes from now on must find everything up to it. */
  readonly acked: PerKind<bigint>;
  /** Per kind, the newest id whose publisher was told so by any node: a history_only replay that starts from now on must have it. */
  readonly promised: PerKind<bigint>;
  /** The topic of a message, or `undefined` if there is no such message. */
  topicAt(kind: Kind, id: bigint): string | undefined;
  /** The lowest id of a topic strictly above `id`, if there is one. */
  after(topic: string, id: bigint): bigint | undefined;
}

/** Which messages exist, and which of them a publisher was told of: the truth that streams are measured against. */
export class Truth implements TruthView {
  readonly #idsOf = new Map<string, bigint[]>();
  readonly #topicOf: PerKind<Map<bigint, string>> = [new Map(), new Map()];
  #heads: PerKind<bigint> = [0n, 0n];
  #acked: PerKind<bigint> = [0n, 0n];
  #promised: PerKind<bigint> = [0n, 0n];

  get heads(): PerKind<bigint> {
    return this.#heads;
  }

  get acked(): PerKind<bigint> {
    return this.#acked;
  }

  get promised(): PerKind<bigint> {
    return this.#promised;
  }

  /** Takes note of a message, which may be delivered from now on. Ids of a kind come ascending. */
  inserted(row: Row): void {
    if (row.id <= this.#heads[row.kind]) throw new RangeError(`ids must ascend; got ${row.id} of kind ${row.kind}`);
    this.#topicOf[row.kind].set(row.id, row.topic);
    const ids = this.#idsOf.get(row.topic);
    if (ids === undefined) this.#idsOf.set(row.topic, [row.id]);
    else ids.push(row.id);
    this.#heads = withKind(this.#heads, row.kind, row.id);
  }

  /** Takes note that this node acknowledged everything of a kind up to `id` to its publishers. */
  ackedUpTo(kind: Kind, id: bigint): void {
    if (id > this.#acked[kind]) this.#acked = withKind(this.#acked, kind, id);
    this.promisedUpTo(kind, id);
  }

  /** As `ackedUpTo`, but by another node: this one may hear of the messages later. */
  promisedUpTo(kind: Kind, id: bigint): void {
    if (id > this.#promised[kind]) this.#promised = withKind(this.#promised, kind, id);
  }

  topicAt(kind: Kind, id: bigint): string | undefined {
    return this.#topicOf[kind].get(id);
  }

  after(topic: string, id: bigint): bigint | undefined {
    const ids = this.#idsOf.get(topic) ?? [];
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ids[middle] ?? 0n) > id) high = middle;
      else low = middle + 1;
    }
    return ids[low];
  }
}

/** Per kind, the higher of two ids. */
export function higherPerKind(a: PerKind<bigint>, b: PerKind<bigint>): PerKind<bigint> {
  return [higher(a[0], b[0]), higher(a[1], b[1])];
}

/** The kind that a topic says; `undefined` if there is none such. */
export function kindOfText(topic: string): Kind | undefined {
  return KINDS.find((kind) => kind === topic.charCodeAt(0));
}
