/** What the drivers are compared by. */

import type { Query } from "drizzle-orm";
import { prepareAppend } from "../../../src/store/append";
import { idArray, idsOf, topicArray } from "../../../src/store/arrays";
import { prepareReads } from "../../../src/store/reader-statements";
import type { Connection } from "./connections";
import { FILLED_ROWS, FILLED_TOPICS, filledTopic } from "./fill";

/** One measured step, done over and over on one connection. */
export interface Task {
  readonly name: string;
  /** What `rows` counts. */
  readonly unit: string;
  /** Makes what the step needs; the step resolves with how many rows it moved. */
  readonly prepare: (connection: Connection) => () => Promise<number>;
}

const PAGE_ROWS = 1_000;
const BATCH_ROWS = 300;
const BODY_BYTES = 1_024;

export const TASKS: readonly Task[] = [
  {
    name: `append: batches of ${BATCH_ROWS} x 1 KiB as blobs`,
    unit: "messages",
    prepare: (connection) => {
      const append = prepareAppend(connection);
      const batch = makeBatch();
      return async () => {
        // Others than before, or all would be duplicates.
        for (const digest of batch.digests) crypto.getRandomValues(digest);
        const rows = await append({
          kind: 1,
          stampNs: 1n,
          arms: `{${batch.arms.join()}}`,
          topics: Buffer.concat(batch.topics),
          topicBounds: bounds(batch.topics),
          digests: Buffer.concat(batch.digests),
          bodies: Buffer.concat(batch.bodies),
          bodyBounds: bounds(batch.bodies),
        });
        return rows.length;
      };
    },
  },
  {
    name: `send ${BATCH_ROWS} x 1 KiB as one blob, unstored`,
    unit: "messages",
    prepare: ({ run }) => {
      const { bodies } = makeBatch();
      return async () => {
        await run(plain("SELECT octet_length($1::bytea)", Buffer.concat(bodies)), {});
        return BATCH_ROWS;
      };
    },
  },
  {
    name: `send ${BATCH_ROWS} x 1 KiB as bytea[], unstored`,
    unit: "messages",
    prepare: ({ run }) => {
      const { bodies } = makeBatch();
      return async () => {
        const elements = bodies.map((body) => `"\\\\x${body.toString("hex")}"`);
        await run(plain("SELECT cardinality($1::bytea[])", `{${elements.join()}}`), {});
        return BATCH_ROWS;
      };
    },
  },
  readByRange(PAGE_ROWS),
  readByRange(PAGE_ROWS / 4),
  readByRange(PAGE_ROWS * 4),
  {
    name: `read: pages of ${PAGE_ROWS} x 500 B by range, each column packed into one value`,
    unit: "rows",
    prepare: ({ run }) => {
      let cursor = 0;
      return async () => {
        const [row] = await run<readonly unknown[]>(plain(PACKED_PAGE, cursor, PAGE_ROWS), {});
        const { length } = idsOf(row?.[0]);
        cursor = length < PAGE_ROWS ? 0 : cursor + PAGE_ROWS;
        return length;
      };
    },
  },
  {
    name: `read: pages of ${PAGE_ROWS} x 500 B by ids`,
    unit: "rows",
    prepare: (connection) => {
      const { byIds } = prepareReads(connection);
      const stride = FILLED_ROWS / PAGE_ROWS;
      let first = 0;
      return async () => {
        first = (first % stride) + 1;
        const ids = Array.from({ length: PAGE_ROWS }, (_, nth) => BigInt(first + nth * stride));
        return (await byIds({ kind: 0, ids: idArray(ids), maxBytes: 1n << 30n })).length;
      };
    },
  },
  {
    name: "read: newest id of one topic",
    unit: "questions",
    prepare: (connection) => {
      const { heads } = prepareReads(connection);
      let nth = 0;
      return async () => {
        nth = (nth + 1) % FILLED_TOPICS;
        const [row] = await heads.execute({ topics: topicArray([filledTopic(nth)]) });
        return idsOf(row?.packed).length;
      };
    },
  },
  {
    name: "read: ids of 10 000 topics, packed",
    unit: "ids",
    prepare: (connection) => {
      const { idsByTopic } = prepareReads(connection);
      const topics = topicArray(Array.from({ length: FILLED_TOPICS }, (_, nth) => filledTopic(nth)));
      const floors = idArray(Array.from({ length: FILLED_TOPICS }, () => 0n));
      return async () => {
        const [row] = await idsByTopic.execute({ topics, floors, to: BigInt(FILLED_ROWS) });
        return idsOf(row?.packed).sort().length;
      };
    },
  },
];

/** What the server would have to do so that a page is seven values, and not five a row. */
const PACKED_PAGE = `
  SELECT string_agg(int8send(id), ''::bytea), string_agg(int8send(created_ns), ''::bytea),
    string_agg(int2send(arm), ''::bytea), string_agg(int4send(octet_length(topic)), ''::bytea),
    string_agg(topic, ''::bytea), string_agg(int4send(octet_length(body)), ''::bytea), string_agg(body, ''::bytea)
  FROM (SELECT * FROM messages WHERE kind = 0 AND id > $1::int8 ORDER BY id LIMIT $2::int8) AS messages`;

function readByRange(pageRows: number): Task {
  return {
    name: `read: pages of ${pageRows} x 500 B by range`,
    unit: "rows",
    prepare: (connection) => {
      const { aboveLight } = prepareReads(connection);
      let cursor = 0n;
      return async () => {
        const limits = { maxRows: BigInt(pageRows), lightBytes: 4_096n };
        const rows = await aboveLight({ kind: 0, above: cursor, ...limits });
        cursor = rows.length < pageRows ? 0n : (rows.at(-1)?.id ?? 0n);
        return rows.length;
      };
    },
  };
}

/** A statement without placeholders. */
function plain(text: string, ...params: readonly unknown[]): Query {
  return { sql: text, params: [...params] };
}

function makeBatch() {
  const parts = (bytes: number) =>
    Array.from({ length: BATCH_ROWS }, () => crypto.getRandomValues(Buffer.alloc(bytes)));
  const topics = parts(33);
  for (const topic of topics) topic[0] = 1;
  return { arms: topics.map(() => 1), topics, digests: parts(32), bodies: parts(BODY_BYTES) };
}

function bounds(parts: readonly Uint8Array[]): string {
  const ends = [0];
  for (const part of parts) ends.push((ends.at(-1) ?? 0) + part.byteLength);
  return `{${ends.join()}}`;
}
