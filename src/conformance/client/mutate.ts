import type { Add, Mutate } from "../../core/frame";
import { topicBytes } from "../../core/topic";

/** What a Mutate asks for. A topic alone is added from the beginning. */
export interface Change {
  readonly add?: readonly (string | readonly [topic: string, cursor: bigint])[];
  readonly remove?: readonly string[];
  readonly historyOnly?: boolean;
}

/** The Mutate that asks for it. */
export function mutateOf(id: bigint, { add = [], remove = [], historyOnly = false }: Change): Mutate {
  const adds = add.map((one): Add => {
    return typeof one === "string" ? { topic: one, cursor: 0n } : { topic: one[0], cursor: one[1] };
  });
  return { id, adds, removes: remove, historyOnly };
}

/** A Mutate as one would write the message. */
export function mutateInit({ id, adds, removes, historyOnly }: Mutate) {
  return {
    mutateId: id,
    adds: adds.map(({ topic, cursor }) => ({ topic: topicBytes(topic), idCursor: cursor })),
    removes: removes.map(topicBytes),
    historyOnly,
  };
}
