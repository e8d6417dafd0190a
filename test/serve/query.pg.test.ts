import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { sendGroupMessages } from "../../src/serve/api/publish";
import { topicOfBytes } from "../../src/wire/bytes";
import {
  QueryGroupMessagesResponseSchema,
  SendGroupMessagesRequestSchema,
  SortDirection,
} from "../../src/wire/gen/mls/api/v1/mls_pb";
import { createDatabase, type TestDatabase } from "../support/database";
import { callError } from "../support/failure";
import { groupMessages, openNode, type TestNode } from "./mls-api-node";

const { UNSPECIFIED, ASCENDING, DESCENDING } = SortDirection;
const GROUP = Uint8Array.of(1, 2, 3);
const SMALL = Uint8Array.of(4);
const KEY = new Uint8Array(32).fill(9);
/** Messages of GROUP: more than two pages. */
const COUNT = 205;
/** A group of the largest messages: together they have more bytes than one answer may. */
const LARGE = Uint8Array.of(6);
const LARGE_COUNT = 10;
const LARGE_BYTES = 3 * 1024 * 1024;
/** What the network's clients receive. */
const CLIENT_BYTES = 25 * 1024 * 1024;

let database: TestDatabase;
let node: TestNode;
/** Another one, which keeps so little in memory that it has to ask the database for nearly everything. */
let forgetful: TestNode;
beforeAll(async () => {
  database = await createDatabase();
  node = await openNode({ database });
  forgetful = await openNode({ database, tailRows: 1 });
  const texts = Array.from({ length: COUNT }, (_, i) => `${i}`);
  await node.client.sendGroupMessages(groupMessages(GROUP, ...texts));
  await node.client.sendGroupMessages(groupMessages(SMALL, "a", "b", "c"));
});

let filled: Promise<readonly bigint[]> | undefined;

/** Ids of the messages of the large group, ascending; it is made for the test that asks first. */
function large(): Promise<readonly bigint[]> {
  filled ??= fillLarge();
  return filled;
}

async function fillLarge(): Promise<readonly bigint[]> {
  const publish = { ...node.deps.publish, maxMessageBytes: LARGE_BYTES };
  for (let nth = 0; nth < LARGE_COUNT; nth++) {
    const text = `${nth}`.repeat(LARGE_BYTES - 100);
    await sendGroupMessages(publish, create(SendGroupMessagesRequestSchema, groupMessages(LARGE, text)));
  }
  const { messages } = await node.deps.query.reader.ofTopic(topicOfBytes(0, LARGE), "ascending", undefined, {
    rows: LARGE_COUNT,
    bytes: 2 * CLIENT_BYTES,
  });
  return messages.map(({ id }) => id);
}
afterAll(async () => {
  await forgetful[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

interface Asked {
  readonly direction?: SortDirection;
  readonly limit?: number;
  readonly idCursor?: bigint;
}

/** Ids of a page and what is said of it, which is the same out of memory and out of the database. */
async function page(groupId: Uint8Array, pagingInfo?: Asked) {
  const request = pagingInfo === undefined ? { groupId } : { groupId, pagingInfo };
  const response = await node.client.queryGroupMessages(request);
  expect(await forgetful.client.queryGroupMessages(request)).toEqual(response);
  return { ids: response.messages.map(({ version }) => version.value?.id ?? 0n), paging: response.pagingInfo };
}

describe("a page of QueryGroupMessages", () => {
  test("is descending unless asked otherwise, and has at most 100 rows", async () => {
    for (const asked of [
      undefined,
      { direction: UNSPECIFIED },
      { direction: DESCENDING, limit: 101 },
      { limit: 2 ** 32 - 1 },
    ]) {
      const { ids, paging } = await page(GROUP, asked);
      expect(ids).toHaveLength(100);
      expect(ids[0]).toBe(BigInt(COUNT));
      expect(ids.at(-1)).toBe(BigInt(COUNT - 99));
      expect(paging).toMatchObject({ direction: DESCENDING, limit: 100, idCursor: BigInt(COUNT - 99) });
    }
  });

  test.each([ASCENDING, DESCENDING])(
    "leads to the next one by its cursor until the last (direction %d)",
    async (direction) => {
      const all: bigint[] = [];
      const sizes: number[] = [];
      let idCursor = 0n;
      do {
        const { ids, paging } = await page(GROUP, { direction, idCursor });
        all.push(...ids);
        sizes.push(ids.length);
        idCursor = paging?.idCursor ?? 0n;
      } while (idCursor !== 0n);
      expect(sizes).toEqual([100, 100, 5]);
      const ascending = Array.from({ length: COUNT }, (_, i) => BigInt(i + 1));
      expect(all).toEqual(direction === ASCENDING ? ascending : ascending.reverse());
    },
  );

  test("that is exactly full has a cursor, and nothing lies behind it", async () => {
    const { ids, paging } = await page(SMALL, { direction: ASCENDING, limit: 3 });
    expect(ids).toHaveLength(3);
    expect(paging?.idCursor).toBe(ids[2]);
    expect(await page(SMALL, { direction: ASCENDING, limit: 3, idCursor: ids[2] ?? 0n })).toMatchObject({
      ids: [],
      paging: { idCursor: 0n, limit: 3, direction: ASCENDING },
    });
  });

  test("that is not full has cursor 0 (clients ask on otherwise)", async () => {
    expect((await page(SMALL, { limit: 4 })).paging?.idCursor).toBe(0n);
  });

  test("larger than clients can receive is cut, and its cursor leads on until the last", async () => {
    const ids = await large();
    expect(ids).toHaveLength(LARGE_COUNT);
    for (const direction of [ASCENDING, DESCENDING]) {
      const all: bigint[] = [];
      const sizes: number[] = [];
      let idCursor = 0n;
      do {
        const response = await node.client.queryGroupMessages({
          groupId: LARGE,
          pagingInfo: { direction, idCursor },
        });
        expect(toBinary(QueryGroupMessagesResponseSchema, response).length).toBeLessThan(CLIENT_BYTES);
        all.push(...response.messages.map(({ version }) => version.value?.id ?? 0n));
        sizes.push(response.messages.length);
        idCursor = response.pagingInfo?.idCursor ?? 0n;
      } while (idCursor !== 0n);
      expect(sizes).toEqual([8, 2]);
      expect(all).toEqual(direction === ASCENDING ? [...ids] : [...ids].reverse());
    }
  });

  test("the cursor is exclusive in the asked direction (R-7)", async () => {
    expect((await page(GROUP, { direction: ASCENDING, limit: 2, idCursor: 10n })).ids).toEqual([11n, 12n]);
    expect((await page(GROUP, { direction: DESCENDING, limit: 2, idCursor: 10n })).ids).toEqual([9n, 8n]);
    expect((await page(GROUP, { direction: ASCENDING, idCursor: 2n ** 63n - 1n })).ids).toEqual([]);
  });

  test("of a group that nobody knows is empty", async () => {
    expect(await page(Uint8Array.of(77))).toMatchObject({ ids: [], paging: { idCursor: 0n } });
  });

  test.each([ASCENDING, DESCENDING])("has what another node was acked for before (direction %d)", async (direction) => {
    await using other = await openNode({ database });
    const groupId = Uint8Array.of(5, direction);
    for (const count of [1, 2, 3]) {
      await other.client.sendGroupMessages(groupMessages(groupId, `${count}`));
      expect((await page(groupId, { direction })).ids).toHaveLength(count);
    }
    expect(
      (await other.client.getNewestGroupMessage({ groupIds: [groupId] })).responses[0]?.groupMessage,
    ).toBeDefined();
  });

  test.each([
    [{ groupId: new Uint8Array() }, "group_id: wanted 1 to 1023 bytes, found 0"],
    [{ groupId: new Uint8Array(1_024) }, "group_id: wanted 1 to 1023 bytes, found 1024"],
    [
      { groupId: GROUP, pagingInfo: { direction: 3 } },
      "paging_info.direction: wanted 0, 1 (ascending) or 2 (descending), found 3",
    ],
    [
      { groupId: GROUP, pagingInfo: { idCursor: 2n ** 63n } },
      "paging_info.id_cursor: wanted at most 2^63-1, found 9223372036854775808",
    ],
  ])("%# is refused where the request makes no sense", async (request, words) => {
    const error = await callError(node.client.queryGroupMessages(request));
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, words]);
  });
});

describe("QueryWelcomeMessages", () => {
  test("pages in the same way over its own sequence", async () => {
    const hpkePublicKey = Uint8Array.of(1);
    const messages = [1, 2, 3].map((n) => ({
      version: { case: "v1", value: { installationKey: KEY, data: Uint8Array.of(n), hpkePublicKey } } as const,
    }));
    await node.client.sendWelcomeMessages({ messages });
    const response = await node.client.queryWelcomeMessages({ installationKey: KEY, pagingInfo: { limit: 2 } });
    expect(response.messages.map(({ version }) => version.value?.id)).toEqual([3n, 2n]);
    expect(response.pagingInfo?.idCursor).toBe(2n);
  });

  test("needs an installation", async () => {
    const error = await callError(node.client.queryWelcomeMessages({}));
    expect([error.code, error.rawMessage]).toEqual([
      Code.InvalidArgument,
      "installation_key: wanted 1 to 1023 bytes, found 0",
    ]);
  });
});

describe("GetNewestGroupMessage", () => {
  test("is positional, as long as what was asked, unset where there is none, duplicates included", async () => {
    const groupIds = [SMALL, Uint8Array.of(99), GROUP, SMALL];
    const { responses } = await node.client.getNewestGroupMessage({ groupIds, includeContent: true });
    const found = responses.map(({ groupMessage }) => groupMessage?.version.value?.groupId);
    expect(found).toEqual([SMALL, undefined, GROUP, SMALL]);
    expect(responses[2]?.groupMessage?.version.value?.id).toBe(BigInt(COUNT));
    expect(responses[0]?.groupMessage?.version.value?.data.length).toBeGreaterThan(0);
  });

  test("leaves the content out unless asked for it, but not what the node knows of the message", async () => {
    const { responses } = await node.client.getNewestGroupMessage({ groupIds: [SMALL] });
    const value = responses[0]?.groupMessage?.version.value;
    expect(value).toMatchObject({ groupId: SMALL, shouldPush: true, isCommit: false });
    expect(value?.id).toBeGreaterThan(0n);
    expect(value?.createdNs).toBeGreaterThan(0n);
    expect([value?.data.length, value?.senderHmac.length]).toEqual([0, 0]);
  });

  test("with more content than clients can receive is refused, and not without the content", async () => {
    const [newest] = (await large()).slice(-1);
    const once = await node.client.getNewestGroupMessage({ groupIds: [LARGE], includeContent: true });
    expect(once.responses[0]?.groupMessage?.version.value?.id).toBe(newest);
    const groupIds = Array.from({ length: 9 }, () => LARGE);
    const error = await callError(node.client.getNewestGroupMessage({ groupIds, includeContent: true }));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toContain("in these 9 groups; name fewer, or ask without include_content");
    const { responses } = await node.client.getNewestGroupMessage({ groupIds });
    expect(responses.map(({ groupMessage }) => groupMessage?.version.value?.id)).toEqual(groupIds.map(() => newest));
  });

  test("of 2 500 groups, some of which nobody knows, is found as of one", async () => {
    const known = [GROUP, SMALL];
    const groupIds = Array.from({ length: 2_500 }, (_, nth) => known[nth] ?? Uint8Array.of(200, nth >> 8, nth & 255));
    const { responses } = await node.client.getNewestGroupMessage({ groupIds });
    const found = responses.map(({ groupMessage }) => groupMessage?.version.value?.groupId);
    expect(found).toEqual(groupIds.map((groupId, nth) => (nth < 2 ? groupId : undefined)));
  });

  test("of no groups is nothing; an empty group id and too many groups are refused", async () => {
    expect((await node.client.getNewestGroupMessage({})).responses).toEqual([]);
    const empty = await callError(node.client.getNewestGroupMessage({ groupIds: [SMALL, new Uint8Array()] }));
    expect([empty.code, empty.rawMessage]).toEqual([
      Code.InvalidArgument,
      "group_ids[1]: wanted 1 to 1023 bytes, found 0",
    ]);
    const many = await callError(
      node.client.getNewestGroupMessage({ groupIds: Array.from({ length: 10_001 }, () => SMALL) }),
    );
    expect(many.rawMessage).toBe("group_ids: wanted at most 10000 groups, found 10001");
  });
});
