/** What happens in a run, as lines that people read. */

import type { Frame, Mutate } from "../../src/core/frame";
import type { Effect, SessionEvent } from "../../src/core/session/events";
import { isTopic } from "../../src/core/topic";

/** The kind is in the case of the letter: `a` is a group, `A` a welcome topic. */
function topic(text: string): string {
  return isTopic(text) && text.length === 2 ? text.slice(1) : JSON.stringify(text);
}

function ids(messages: readonly { readonly id: bigint; readonly topic: string }[]): string {
  return messages.map((message) => `${message.id}${topic(message.topic)}`).join(" ");
}

function showMutate(mutate: Mutate): string {
  const removes = mutate.removes.map((removed) => ` -${topic(removed)}`);
  const adds = mutate.adds.map((add) => ` ${topic(add.topic)}>${add.cursor}`);
  return `mutate ${mutate.id}${mutate.historyOnly ? " history_only" : ""}${removes.join("")}${adds.join("")}`;
}

export function showEvent(event: SessionEvent): string {
  switch (event.kind) {
    case "mutate":
      return showMutate(event.mutate);
    case "offers":
      return `offers ${event.offsets.join(" ")}`;
    case "page":
      return `page of replay ${event.replay}: ${ids(event.messages)}${event.done ? " done" : ""}`;
    case "looked":
    case "replayFailed":
      return `${event.kind} ${event.replay}`;
    case "ping":
    case "pong":
      return `${event.kind} ${event.nonce}`;
    default:
      return event.kind;
  }
}

export function showFrame(frame: Frame): string {
  switch (frame.kind) {
    case "messages":
      return `messages lane=${frame.lane} ${ids(frame.messages)}`;
    case "topicsLive":
      return `topicsLive ${frame.topics.map(topic).join(" ")}`;
    case "catchupComplete":
      return `catchupComplete ${frame.mutateId}`;
    case "ping":
    case "pong":
      return `${frame.kind} ${frame.nonce}`;
    case "started":
      return "started";
  }
}

export function showEffect(effect: Effect): string {
  switch (effect.kind) {
    case "watch":
    case "unwatch":
      return `${effect.kind} ${effect.topics.map(topic).join(" ")}`;
    case "startReplay": {
      const { topics, floors, ceilings } = effect.scope;
      const floored = topics.map((each, at) => `${topic(each)}>${floors[at]}`).join(" ");
      return `startReplay ${effect.replay} ${floored} up to ${ceilings.join("/")}`;
    }
    case "close":
      return `close ${effect.close.reason}`;
    default:
      return `${effect.kind} ${effect.replay}`;
  }
}
