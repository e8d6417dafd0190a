/** Answers the questions one can ask of the store. */

import { MAX_CURSOR } from "../core/limits";
import { GROUP, type Kind, type PerKind, type Topic, topicBytes, WELCOME } from "../core/topic";
import { chunks, clampId, concatenate, idArray, idsOf, topicArray } from "./arrays";
import type { LightMessage, ReadStatements } from "./reader-statements";
import { type RetryHost, retrying } from "./retry";
import type { SqlPool } from "./sql-pool";
import type { Direction, PageSize, Reader, StoredMessage, TopicIds, TopicPage } from "./types";

export interface ReaderHost {
  readonly pool: SqlPool<ReadStatements>;
  /** For questions that are answered from one page of an index, and asked by the thousand: they share connections. */
  readonly quick: Pick<SqlPool<ReadStatements>, "run">;
  readonly retry: RetryHost;
}

/** Topics per statement: large enough to be fast, small enough that one question does not hold a connection for long. */
const TOPICS_PER_STATEMENT = 10_000;

/**
 * Looking one topic up in its index costs about as much as reading this many neighbouring rows. Where fewer ids
 * per topic are in question, all of them are read and the topics picked out here.
 */
const ROWS_PER_LOOKUP = 2n;

/**
 * A page is read at first without the bodies of more than so many times what they may have on the mean. More: pages
 * of mixed sizes are seldom read twice. Fewer: less is read beyond the end of a page, and thrown away.
 */
const LIGHT_FACTOR = 4;

/** The same for a page of a topic, whose connection others share: none of them waits for more than a hundred of these. */
const LIGHT_BODY_BYTES = 32n * 1024n;

/** {@link Reader} on Postgres. */
export class SqlReader implements Reader {
  readonly #host: ReaderHost;

  constructor(host: ReaderHost) {
    this.#host = host;
  }

  async isStandby(): Promise<boolean> {
    const [row] = await this.#askQuickly((read) => read.standby.execute());
    return row?.isStandby ?? false;
  }

  async headIds(): Promise<PerKind<bigint>> {
    const rows = await this.#askQuickly((read) => read.sequences());
    const last = (kind: Kind) => rows.find(([of]) => of === kind)?.[1] ?? 0n;
    return [last(GROUP), last(WELCOME)];
  }

  async above(kind: Kind, id: bigint, maxRows: number, maxBytes: number): Promise<readonly StoredMessage[]> {
    const page = { kind, above: clampId(id), maxRows: BigInt(maxRows) };
    const lightBytes = lightBytesOf(maxBytes, maxRows);
    return await this.#ask(async (read) => {
      const light = prefix(await read.aboveLight({ ...page, lightBytes }), maxBytes);
      return light ?? (await read.above({ ...page, maxBytes: BigInt(maxBytes) }));
    });
  }

  async heads(topics: readonly Topic[]): Promise<readonly bigint[]> {
    const heads: bigint[] = [];
    for (const some of chunks(topics, TOPICS_PER_STATEMENT)) {
      const parameters = { topics: topicArray(some) };
      const [row] = await this.#ask((read) => read.heads.execute(parameters));
      heads.push(...idsOf(row?.packed));
    }
    return heads;
  }

  async topicsIn(kind: Kind, above: bigint, to: bigint): Promise<readonly TopicIds[]> {
    return await this.#ask((read) => read.topicsIn({ kind, above: clampId(above), to: clampId(to) }));
  }

  async first(topics: readonly Topic[], floors: readonly bigint[]): Promise<bigint | undefined> {
    let first: bigint | undefined;
    for (let at = 0; at < topics.length; at += TOPICS_PER_STATEMENT) {
      const parameters = {
        topics: topicArray(topics.slice(at, at + TOPICS_PER_STATEMENT)),
        floors: idArray(floors.slice(at, at + TOPICS_PER_STATEMENT).map(clampId)),
      };
      const [row] = await this.#ask((read) => read.firstOf.execute(parameters));
      const [found] = idsOf(row?.packed);
      if (found !== undefined && (first === undefined || found < first)) first = found;
    }
    return first;
  }

  async ids(...[kind, topics, floors, from, to]: Parameters<Reader["ids"]>): Promise<BigInt64Array> {
    const asked = topics.flatMap((topic, nth) => {
      const own = floors[nth] ?? 0n;
      const floor = own > from ? own : from;
      return floor < to ? [{ topic, floor }] : [];
    });
    let lowest = to;
    for (const { floor } of asked) if (floor < lowest) lowest = floor;
    if (to - lowest <= ROWS_PER_LOOKUP * BigInt(asked.length)) return await this.#idsByRange(kind, asked, lowest, to);
    const parts: BigInt64Array[] = [];
    for (const some of chunks(asked, TOPICS_PER_STATEMENT)) {
      const parameters = {
        topics: topicArray(some.map(({ topic }) => topic)),
        floors: idArray(some.map(({ floor }) => floor)),
        to: clampId(to),
      };
      const [row] = await this.#ask((read) => read.idsByTopic.execute(parameters));
      parts.push(idsOf(row?.packed));
    }
    return concatenate(parts).sort();
  }

  async byIds(kind: Kind, ids: BigInt64Array, maxBytes: number): Promise<readonly StoredMessage[]> {
    if (ids.length === 0) return [];
    const page = { kind, ids: idArray(ids) };
    const lightBytes = lightBytesOf(maxBytes, ids.length);
    return await this.#ask(async (read) => {
      const light = prefix(await read.byIdsLight({ ...page, lightBytes }), maxBytes);
      return light ?? (await read.byIds({ ...page, maxBytes: BigInt(maxBytes) }));
    });
  }

  async ofTopic(
    topic: Topic,
    direction: Direction,
    cursor: bigint | undefined,
    { rows, bytes }: PageSize,
  ): Promise<TopicPage> {
    const asked = { topic: topicBytes(topic), maxRows: BigInt(rows) };
    const light = { ...asked, lightBytes: LIGHT_BODY_BYTES };
    const heavy = { ...asked, maxBytes: BigInt(bytes) };
    switch (direction) {
      case "ascending": {
        const above = clampId(cursor ?? 0n);
        const found = await this.#askQuickly((read) => read.ascendingLight({ ...light, above }));
        return pageOf(found, fitting(found, bytes) ?? (await this.#ask((read) => read.ascending({ ...heavy, above }))));
      }
      case "descending": {
        const to = cursor === undefined ? MAX_CURSOR : clampId(cursor - 1n);
        const found = await this.#askQuickly((read) => read.descendingLight({ ...light, to }));
        return pageOf(found, fitting(found, bytes) ?? (await this.#ask((read) => read.descending({ ...heavy, to }))));
      }
      default:
        return direction satisfies never;
    }
  }

  async #idsByRange(
    kind: Kind,
    asked: readonly { readonly topic: Topic; readonly floor: bigint }[],
    above: bigint,
    to: bigint,
  ): Promise<BigInt64Array> {
    if (above >= to) return new BigInt64Array(0);
    const floors = new Map(asked.map(({ topic, floor }) => [topic, floor]));
    const rows = await this.#ask((read) => read.idsByRange({ kind, above, to: clampId(to) }));
    const wanted = rows.filter(({ id, topic }) => {
      const floor = floors.get(topic);
      return floor !== undefined && id > floor;
    });
    return BigInt64Array.from(wanted, ({ id }) => id);
  }

  #ask<T>(question: (read: ReadStatements) => Promise<T>): Promise<T> {
    const { pool, retry } = this.#host;
    return retrying(retry, "the store could not be read", () => pool.run(question));
  }

  #askQuickly<T>(question: (read: ReadStatements) => Promise<T>): Promise<T> {
    const { quick, retry } = this.#host;
    return retrying(retry, "the store could not be read", () => quick.run(question));
  }
}

/** The largest body that is read at first in a page of `rows` rows and `maxBytes` bytes. */
function lightBytesOf(maxBytes: number, rows: number): bigint {
  return BigInt(Math.ceil((LIGHT_FACTOR * maxBytes) / rows));
}

function pageOf(found: readonly LightMessage[], messages: readonly StoredMessage[]): TopicPage {
  return { messages, isCut: messages.length < found.length };
}

/** The messages from the front that stay within `maxBytes`, or the first alone; `undefined` if one was left out. */
function fitting(messages: readonly LightMessage[], maxBytes: number): readonly StoredMessage[] | undefined {
  const taken: StoredMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (message === undefined) return undefined;
    bytes += message.body.byteLength;
    if (bytes > maxBytes && taken.length > 0) break;
    taken.push(message);
  }
  return taken;
}

/** The messages from the front whose bodies reach `maxBytes`; `undefined` if one of them was left out. */
function prefix(messages: readonly LightMessage[], maxBytes: number): readonly StoredMessage[] | undefined {
  const taken: StoredMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (bytes >= maxBytes) break;
    if (message === undefined) return undefined;
    taken.push(message);
    bytes += message.body.byteLength;
  }
  return taken;
}
