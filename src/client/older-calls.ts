import type { Client } from "@connectrpc/connect";
import type { Want } from "../core/connection/events";
import { GROUP, type Kind, kindOf, type Topic, topicBytes } from "../core/topic";
import type { MlsApi } from "../wire/gen/mls/api/v1/mls_pb";
import { type DeliveredMessage, fromWireGroupMessage, fromWireWelcomeMessage } from "./messages";
import { known, type Page, toPage, toPagingInfo } from "./paging";

/** What every node of the v3 binding serves, also one that knows no Subscribe. */
export interface OlderCalls {
  /** A page of a topic's messages above the cursor, ascending. */
  history(want: Want, signal: AbortSignal): Promise<Page<DeliveredMessage>>;
  /** Messages of these topics, all of one kind, above their cursors and as they come. They ascend within each topic. */
  follow(kind: Kind, wants: readonly Want[], signal: AbortSignal): AsyncIterable<DeliveredMessage>;
}

type MlsClient = Client<typeof MlsApi>;

/** The calls of a node, over the connection of this client. */
export function olderCalls(client: MlsClient): OlderCalls {
  return {
    history: async ({ topic, cursor }, signal) => {
      const identifier = identifierOf(topic);
      const pagingInfo = toPagingInfo({ cursor, direction: "ascending" });
      if (kindOf(topic) === GROUP) {
        const page = await client.queryGroupMessages({ groupId: identifier, pagingInfo }, { signal });
        return toPage(known(page.messages.map(fromWireGroupMessage)), page.pagingInfo);
      }
      const page = await client.queryWelcomeMessages({ installationKey: identifier, pagingInfo }, { signal });
      return toPage(known(page.messages.map(fromWireWelcomeMessage)), page.pagingInfo);
    },
    follow: (kind, wants, signal) => (kind === GROUP ? groups(client, wants, signal) : welcomes(client, wants, signal)),
  };
}

async function* groups(client: MlsClient, wants: readonly Want[], signal: AbortSignal) {
  const filters = wants.map(({ topic, cursor }) => ({ groupId: identifierOf(topic), idCursor: cursor }));
  for await (const wire of client.subscribeGroupMessages({ filters }, { signal }))
    yield* known([fromWireGroupMessage(wire)]);
}

async function* welcomes(client: MlsClient, wants: readonly Want[], signal: AbortSignal) {
  const filters = wants.map(({ topic, cursor }) => ({ installationKey: identifierOf(topic), idCursor: cursor }));
  for await (const wire of client.subscribeWelcomeMessages({ filters }, { signal }))
    yield* known([fromWireWelcomeMessage(wire)]);
}

function identifierOf(topic: Topic): Uint8Array {
  return topicBytes(topic).subarray(1);
}
