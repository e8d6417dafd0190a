/** What the tests of the client say to a node, and hear from it. */

import { wrapPayload } from "../../src/cli/payload";
import { GROUP, type MessageStream, NodeApi, type StreamEvent, topicOf, WELCOME } from "../../src/client/index";

export const groupId = Buffer.from("demo");
export const installationKey = Buffer.from("installation");
export const group = topicOf(GROUP, groupId);
export const welcome = topicOf(WELCOME, installationKey);
export const FROM_START = [
  { topic: group, cursor: 0n },
  { topic: welcome, cursor: 0n },
];

export async function send(address: string, ...payloads: readonly string[]): Promise<void> {
  using api = new NodeApi({ address });
  await api.sendGroupMessages(payloads.map((payload) => ({ data: wrapPayload(groupId, Buffer.from(payload)) })));
}

export async function sendWelcome(address: string, data: string): Promise<void> {
  using api = new NodeApi({ address });
  const none = new Uint8Array();
  const content = { form: "welcome", data: Buffer.from(data), hpkePublicKey: none, welcomeMetadata: none } as const;
  await api.sendWelcomeMessages([{ installationKey, content: { ...content, wrapperAlgorithm: 3 } }]);
}

export async function readUntil(
  stream: MessageStream,
  enough: (event: StreamEvent) => boolean,
): Promise<readonly StreamEvent[]> {
  const events: StreamEvent[] = [];
  for (;;) {
    const { value } = await stream.next();
    if (value === undefined) throw new Error(`the stream ended after ${events.length} events`);
    events.push(value);
    if (enough(value)) return events;
  }
}

export function idsIn(events: readonly StreamEvent[]): readonly string[] {
  return events.flatMap((event) =>
    event.kind === "messages" ? event.messages.map(({ kind, id }) => `${kind}/${id}`) : [],
  );
}
