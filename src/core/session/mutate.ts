import type { Close } from "../close";
import type { Mutate } from "../frame";
import { MAX_CURSOR, type StreamLimits } from "../limits";
import { isTopic, type Topic } from "../topic";
import type { Registrations } from "./registrations";
import type { Shared } from "./shared";
import { Wave } from "./wave";

/** What a Mutate is checked against. */
export interface MutateState {
  readonly registrations: Registrations;
  readonly limits: StreamLimits;
  /** Waves in flight by their Mutate's id. */
  readonly waves: ReadonlyMap<bigint, Wave>;
}

/** What a Mutate will do. Made by {@link plan}; {@link apply} cannot fail. */
export interface Plan {
  readonly kind: "plan";
  readonly mutateId: bigint;
  readonly historyOnly: boolean;
  /** Registered topics to remove, each once. */
  readonly removes: ReadonlySet<Topic>;
  /** Topics that join the wave, each with its lowest cursor. Adds that change nothing are not among them. */
  readonly joins: ReadonlyMap<Topic, bigint>;
}

export interface Refusal {
  readonly kind: "refusal";
  readonly close: Close;
}

/** Decides what a Mutate does, or why it is refused. Touches nothing. */
export function plan(state: MutateState, mutate: Mutate): Plan | Refusal {
  const { limits, waves, registrations } = state;
  if (mutate.adds.length > limits.addsPerMutate) {
    return over("adds per Mutate", limits.addsPerMutate, mutate.adds.length, "split the Mutate");
  }
  if (mutate.adds.length > 0 && mutate.id === 0n) {
    return bad("a Mutate with adds needs a nonzero mutate_id, got 0: choose one that no wave in flight has");
  }
  if (waves.has(mutate.id)) {
    return bad(`mutate_id ${mutate.id} belongs to a wave in flight: choose another, or wait for its CatchupComplete`);
  }
  const removes = planRemoves(registrations, mutate.removes);
  if (removes.kind === "refusal") return removes;
  const joins = planJoins(registrations, removes.topics, mutate);
  if (joins.kind === "refusal") return joins;

  const topics = registrations.size - removes.topics.size + joins.added;
  if (topics > limits.topics)
    return over("topics per stream", limits.topics, topics, "remove some or open another stream");
  if (joins.cursors.size > 0 && waves.size >= limits.waves) {
    return over("waves in flight", limits.waves, waves.size + 1, "wait for a CatchupComplete");
  }
  return {
    kind: "plan",
    mutateId: mutate.id,
    historyOnly: mutate.historyOnly,
    removes: removes.topics,
    joins: joins.cursors,
  };
}

/**
 * Does what a plan says, removes first, in one tick: what is offered before belongs to the old
 * registrations, what is offered after to the new ones. Returns the wave it started, if any.
 */
export function apply(planned: Plan, shared: Shared): Wave | undefined {
  const { registrations, outbox } = shared;
  const { removes, joins, historyOnly } = planned;
  const unwatched: Topic[] = [];
  for (const topic of removes) {
    if (registrations.isSubscribed(topic) && (historyOnly || !joins.has(topic))) unwatched.push(topic);
    const wave = registrations.waveOf(topic);
    if (!joins.has(topic)) registrations.remove(topic);
    wave?.leave();
  }
  if (unwatched.length > 0) outbox.push({ kind: "unwatch", topics: unwatched });
  if (joins.size === 0) return undefined;

  const wave = new Wave({ mutateId: planned.mutateId, historyOnly, topics: [...joins.keys()] }, shared);
  const watched: Topic[] = [];
  for (const [topic, cursor] of joins) {
    const before = registrations.enter(topic, cursor, wave);
    if (!historyOnly && !isSubscribed(before)) watched.push(topic);
    if (before instanceof Wave && !removes.has(topic)) before.leave();
  }
  if (watched.length > 0) outbox.push({ kind: "watch", topics: watched });
  wave.begin();
  return wave;
}

function isSubscribed(before: Wave | "live" | undefined): boolean {
  return before instanceof Wave ? !before.historyOnly : before === "live";
}

function planRemoves(
  registrations: Registrations,
  removes: readonly string[],
): { readonly kind: "removes"; readonly topics: ReadonlySet<Topic> } | Refusal {
  const topics = new Set<Topic>();
  for (const topic of removes) {
    if (!isTopic(topic)) return badTopic(topic, "removes");
    if (registrations.floorOf(topic) !== undefined) topics.add(topic);
  }
  return { kind: "removes", topics };
}

/**
 * Which adds join the wave: new and reset topics, and re-adds below the floor.
 * Duplicates become one add with the lowest cursor.
 */
function planJoins(
  registrations: Registrations,
  removes: ReadonlySet<Topic>,
  { adds, historyOnly }: Mutate,
): { readonly kind: "joins"; readonly cursors: ReadonlyMap<Topic, bigint>; readonly added: number } | Refusal {
  const joins = new Map<Topic, bigint>();
  let added = 0;
  for (const { topic, cursor } of adds) {
    if (!isTopic(topic)) return badTopic(topic, "adds");
    if (cursor > MAX_CURSOR) {
      return bad(`a cursor is at most ${MAX_CURSOR}, got ${cursor}: add the topic from the last id you have`);
    }
    const known = joins.get(topic);
    if (known !== undefined) {
      if (cursor < known) joins.set(topic, cursor);
      continue;
    }
    const floor = removes.has(topic) ? undefined : registrations.floorOf(topic);
    if (floor === undefined) {
      joins.set(topic, cursor);
      added++;
      continue;
    }
    if (!registrations.isSubscribed(topic)) return HISTORY_IN_FLIGHT;
    if (historyOnly) return SUBSCRIBED;
    if (cursor < floor) joins.set(topic, cursor);
  }
  return { kind: "joins", cursors: joins, added };
}

const HISTORY_IN_FLIGHT = bad(
  "an added topic has a history_only replay in flight: wait for its CatchupComplete, or remove it first",
);
const SUBSCRIBED = bad("a topic added as history_only is subscribed: remove it in the same Mutate, or leave it out");

function badTopic(topic: string, list: "adds" | "removes"): Refusal {
  const found = topic.length === 0 ? "an empty one" : `kind ${topic.charCodeAt(0)} and ${topic.length - 1} bytes`;
  return bad(
    `a topic in ${list} is a kind byte, 0 (group) or 1 (welcome), and at least one byte of identifier; got ${found}`,
  );
}

function bad(detail: string): Refusal {
  return { kind: "refusal", close: { reason: "badRequest", detail } };
}

function over(what: string, limit: number, asked: number, remedy: string): Refusal {
  return {
    kind: "refusal",
    close: { reason: "overLimit", detail: `at most ${limit} ${what}, asked for ${asked}: ${remedy}` },
  };
}
