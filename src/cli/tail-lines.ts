/** How `tail` prints what a stream delivers. */

import { type DeliveredMessage, type Lane, LIVE, type StreamEvent, type Topic } from "../client/index";
import { asText, showTopic } from "./identifiers";
import { unwrapPayload } from "./payload";

/** What `tail` prints on stdout. */
export type Printed = Extract<StreamEvent, { readonly kind: "messages" | "topicsLive" | "catchupComplete" }>;

/** Topics named on one line; a stream may have very many. */
const MAX_TOPICS = 20;
/** Characters of a text that are shown on one line. */
const MAX_TEXT = 200;

/** For people: a line per message and marker. */
export function printText(event: Printed): string {
  switch (event.kind) {
    case "messages":
      return event.messages.map((message) => textLine(event.lane, message)).join("");
    case "topicsLive":
      return `-- live: ${topicList(event.topics)}\n`;
    case "catchupComplete":
      return `-- wave ${event.mutateId} complete: ${topicList(event.topics)}\n`;
  }
}

/** For programs: a JSON object per message and marker. Ids are texts, because they may exceed what JSON numbers hold. */
export function printJson(event: Printed): string {
  switch (event.kind) {
    case "messages":
      return event.messages.map((message) => `${JSON.stringify(jsonOf(event.lane, message))}\n`).join("");
    case "topicsLive":
      return `${JSON.stringify({ event: "live", topics: event.topics.map(showTopic) })}\n`;
    case "catchupComplete":
      return `${JSON.stringify({ event: "complete", wave: `${event.mutateId}`, topics: event.topics.map(showTopic) })}\n`;
  }
}

function textLine(lane: Lane, message: DeliveredMessage): string {
  const data = dataOf(message);
  const text = textOf(data);
  const shown = text === undefined ? "" : `  ${text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text}`;
  const name = lane === LIVE ? "live" : `wave ${lane}`;
  return `${name.padEnd(8)} ${showTopic(message.topic)} #${message.id}  ${timeOf(message)}  ${data.length} B${shown}\n`;
}

function jsonOf(lane: Lane, message: DeliveredMessage) {
  const data = dataOf(message);
  return {
    event: "message",
    lane: lane === LIVE ? "live" : `${lane}`,
    topic: showTopic(message.topic),
    id: `${message.id}`,
    time: timeOf(message),
    createdNs: `${message.createdNs}`,
    bytes: data.length,
    text: textOf(data),
    data: Buffer.from(data).toString("base64"),
  };
}

function dataOf(message: DeliveredMessage): Uint8Array {
  if ("data" in message) return message.data;
  return message.content.form === "welcome" ? message.content.data : message.content.welcomePointer;
}

/** What `publish` put into it, if it is text. */
function textOf(data: Uint8Array): string | undefined {
  return asText(unwrapPayload(data) ?? data);
}

function timeOf({ createdNs }: DeliveredMessage): string {
  return new Date(Number(createdNs / 1_000_000n)).toISOString();
}

function topicList(topics: readonly Topic[]): string {
  const more = topics.length > MAX_TOPICS ? ` and ${topics.length - MAX_TOPICS} more` : "";
  return `${topics.slice(0, MAX_TOPICS).map(showTopic).join(" ")}${more}`;
}
