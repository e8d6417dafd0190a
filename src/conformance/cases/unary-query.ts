import type { Topic } from "../../core/topic";
import { type GroupMessage, MlsApi, SortDirection } from "../../wire/gen/mls/api/v1/mls_pb";
import { casesOf } from "../case";
import { CODE, showStatus } from "../client/grpc";
import { identifierOf, type NodeUnderTest } from "../client/node";
import { expectSame, expectThat } from "../failure";

const { method } = MlsApi;

interface PageAsked {
  readonly direction?: SortDirection;
  readonly limit?: number;
  readonly idCursor?: bigint;
}

/** A page of a group's messages: their ids, and the cursor to go on from. */
async function page(node: NodeUnderTest, topic: Topic, asked: PageAsked) {
  const request = { groupId: identifierOf(topic), pagingInfo: asked };
  const { messages, pagingInfo } = await node.ok(method.queryGroupMessages, request);
  return { ids: messages.map(idOf), next: pagingInfo?.idCursor ?? 0n };
}

function idOf({ version }: GroupMessage): bigint {
  return version.case === "v1" ? version.value.id : 0n;
}

export const UNARY_QUERY = casesOf("unary", [
  {
    id: "query-descends-by-default",
    rules: ["v3 QueryGroupMessages"],
    promise: "Without a direction a query begins at the newest message.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 5);
      expectSame((await page(node, a, { limit: 3 })).ids, ids.toReversed().slice(0, 3), "ids");
    },
  },
  {
    id: "query-limit-defaults-to-100",
    rules: ["v3 QueryGroupMessages"],
    promise: "A limit of 0, or above 100, means 100.",
    run: async (node) => {
      const a = node.group();
      await node.publish(a, 120);
      for (const limit of [0, 101, 5_000]) {
        const { ids } = await page(node, a, { limit });
        expectThat(ids.length === 100, `100 messages at limit ${limit}`, `${ids.length}`);
      }
    },
  },
  {
    id: "query-cursor-is-exclusive",
    rules: ["v3 QueryGroupMessages"],
    promise: "A query's cursor is exclusive in the direction asked.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 5);
      const idCursor = ids[2] ?? 0n;
      const up = await page(node, a, { direction: SortDirection.ASCENDING, idCursor });
      expectSame(up.ids, ids.slice(3), "ids above the cursor");
      const down = await page(node, a, { direction: SortDirection.DESCENDING, idCursor });
      expectSame(down.ids, ids.slice(0, 2).toReversed(), "ids below the cursor");
    },
  },
  {
    id: "paging-ends-at-zero",
    rules: ["v3 QueryGroupMessages"],
    promise: "paging_info.id_cursor is the last id of a full page, and 0 otherwise.",
    run: async (node) => {
      const a = node.group();
      const ids = await node.publish(a, 5);
      const direction = SortDirection.ASCENDING;
      const full = await page(node, a, { direction, limit: 3 });
      expectThat(full.next === ids[2], `the cursor ${ids[2]}`, `${full.next}`);
      const rest = await page(node, a, { direction, limit: 3, idCursor: full.next });
      expectSame(rest.ids, ids.slice(3), "ids of the second page");
      expectThat(rest.next === 0n, "the cursor 0", `${rest.next}`);
    },
  },
  {
    id: "query-of-nothing",
    rules: ["v3 QueryGroupMessages", "v3 QueryWelcomeMessages"],
    promise: "A query of a group or installation that nobody knows finds nothing.",
    run: async (node) => {
      for (const topic of [node.group(), node.welcome()]) {
        expectThat((await node.stored(topic)).length === 0, "nothing", "something");
      }
    },
  },
  {
    id: "query-needs-an-identifier",
    rules: ["v3 QueryGroupMessages", "v3 QueryWelcomeMessages"],
    promise: "A query without a group id or installation key is refused with INVALID_ARGUMENT.",
    run: async (node) => {
      const replies = [
        await node.call(method.queryGroupMessages, {}),
        await node.call(method.queryWelcomeMessages, {}),
      ];
      for (const reply of replies)
        expectThat(reply.code === CODE.invalidArgument, "INVALID_ARGUMENT", showStatus(reply));
    },
  },
  {
    id: "newest-is-positional",
    rules: ["v3 GetNewestGroupMessage"],
    promise: "GetNewestGroupMessage answers in the order asked, unset where a group has no message.",
    run: async (node) => {
      const [a, b, none] = [node.group(), node.group(), node.group()];
      await node.publish(a, 3);
      await node.publish(b, 2);
      const groupIds = [b, none, a, b].map(identifierOf);
      const { responses } = await node.ok(method.getNewestGroupMessage, { groupIds });
      const got = responses.map(({ groupMessage }) => (groupMessage === undefined ? 0n : idOf(groupMessage)));
      const [ofA = 0n, ofB = 0n] = [node.idsOf(a).at(-1), node.idsOf(b).at(-1)];
      expectSame(got, [ofB, 0n, ofA, ofB], "the newest ids");
    },
  },
  {
    id: "unimplemented-is-trailers-only",
    rules: ["C-7"],
    promise: "A method that is not served is UNIMPLEMENTED as a Trailers-Only response: only then clients fall back.",
    run: async (node) => {
      for (const path of ["/xmtp.mls.api.v1.MlsApi/NoSuchMethod", "/nobody.knows.This/Method"]) {
        const { end } = await node.raw(path, Buffer.from([0, 0, 0, 0, 0]));
        expectThat(end.code === CODE.unimplemented, "UNIMPLEMENTED (12)", showStatus(end));
        expectThat(end.trailersOnly, "the status in the first HEADERS frame", "headers, then trailers");
      }
    },
  },
]);
