/**
 * Random scripts of several clients and publishers. A script names topics by number and cursors by what they mean, so
 * that it can be played again on topics that nobody has used, whole or in part.
 */

import { Choices } from "./random";

/** Groups 0 to 3, then welcomes. */
export const GROUPS = 4;
export const WELCOMES = 2;
const CLIENTS = 3;
const TOPICS: readonly number[] = Array.from({ length: GROUPS + WELCOMES }, (_, n) => n);

/** Where an add begins. */
export type Cursor =
  /** 0: from the beginning. */
  | { readonly kind: "start" }
  /** So many messages before the newest one that was published when the step is played; 0 is the newest itself. */
  | { readonly kind: "back"; readonly messages: number }
  /** So far above the newest id. */
  | { readonly kind: "ahead"; readonly ids: number };

export interface AddOf {
  readonly topic: number;
  readonly cursor: Cursor;
}

export interface MutateStep {
  readonly do: "mutate";
  readonly client: number;
  readonly add: readonly AddOf[];
  readonly remove: readonly number[];
  readonly historyOnly: boolean;
  /** `again`: the id of the client's Mutate before, which may be in flight. */
  readonly id: "fresh" | "again" | "zero";
}

/** One thing that happens. A client that has no stream opens one when it needs it. */
export type Step =
  | MutateStep
  /** `rounds` messages to each of the topics, in turn, by one request; the script goes on once it is acked, or at once. */
  | {
      readonly do: "publish";
      readonly topics: readonly number[];
      readonly rounds: number;
      readonly large: boolean;
      readonly awaited: boolean;
    }
  /** The client waits until everything it sent has been read. */
  | { readonly do: "wait"; readonly client: number }
  /** The client stops reading at the next delivery of a wave, and goes on at `read`. */
  | { readonly do: "hold"; readonly client: number }
  | { readonly do: "read"; readonly client: number }
  | { readonly do: "halfClose"; readonly client: number }
  | { readonly do: "cancel"; readonly client: number }
  /** The client lets go of its stream, if it has one, and resumes on a new one all that it was subscribed to (C-3). */
  | { readonly do: "resume"; readonly client: number };

/** A step a line, in the order in which they are played. */
export type Script = readonly Step[];

const WEIGHTS = {
  mutate: 10,
  publish: 9,
  wait: 3,
  hold: 2,
  read: 2,
  halfClose: 1,
  cancel: 1,
  resume: 2,
} as const satisfies Record<Step["do"], number>;

/** The script of a seed. */
export function drawScript(seed: number): Script {
  const random = new Choices(seed);
  const clients = Array.from({ length: random.between(1, CLIENTS) }, () => new Set<number>());
  const steps: Step[] = [drawPublish(random)];
  const length = random.between(6, 40);
  while (steps.length < length) steps.push(drawStep(random, clients));
  return steps;
}

/** `clients`: what each of them is subscribed to, roughly, so that most of what it asks for is allowed. */
function drawStep(random: Choices, clients: readonly Set<number>[]): Step {
  const client = random.between(0, clients.length - 1);
  const subscribed = clients[client] ?? new Set();
  const kind = random.weighted(WEIGHTS);
  switch (kind) {
    case "mutate":
      return drawMutate(random, client, subscribed);
    case "publish":
      return drawPublish(random);
    case "halfClose":
    case "cancel":
      subscribed.clear();
      return { do: kind, client };
    case "wait":
    case "hold":
    case "read":
    case "resume":
      return { do: kind, client };
    default:
      return kind satisfies never;
  }
}

function drawPublish(random: Choices): Step {
  const kind = random.chance(0.75) ? TOPICS.slice(0, GROUPS) : TOPICS.slice(GROUPS);
  const large = random.chance(0.15);
  const rounds = large ? random.between(4, 8) : random.pick([1, 1, 2, 3, 10, 60]);
  return { do: "publish", topics: random.some(kind, 3), rounds, large, awaited: random.chance(0.6) };
}

function drawMutate(random: Choices, client: number, subscribed: Set<number>): Step {
  const historyOnly = random.chance(0.2);
  const removes = random.chance(0.35) ? random.some(subscribed.size > 0 ? [...subscribed] : TOPICS, 2) : [];
  const free = TOPICS.filter((topic) => !subscribed.has(topic) || removes.includes(topic));
  // A careless client adds to its history what it is subscribed to, which is refused.
  const candidates = historyOnly && !random.chance(0.05) ? free : TOPICS;
  const wantsAdds = candidates.length > 0 && !(removes.length > 0 && random.chance(0.4));
  const topics = wantsAdds ? random.some(candidates, 4) : [];
  for (const topic of removes) subscribed.delete(topic);
  if (!historyOnly) for (const topic of topics) subscribed.add(topic);
  const add = topics.map((topic) => ({ topic, cursor: drawCursor(random) }));
  // The same topic twice, with another cursor.
  const twice = random.chance(0.1) ? add.slice(0, 1).map(({ topic }) => ({ topic, cursor: drawCursor(random) })) : [];
  const unusual = random.chance(0.08) ? "again" : "fresh";
  const id = random.chance(add.length === 0 ? 0.3 : 0.01) ? "zero" : unusual;
  return { do: "mutate", client, add: [...add, ...twice], remove: removes, historyOnly, id };
}

function drawCursor(random: Choices): Cursor {
  if (random.chance(0.45)) return { kind: "start" };
  if (random.chance(0.1)) return { kind: "ahead", ids: random.between(1, 5) };
  return { kind: "back", messages: random.pick([0, 0, 1, 2, 5, 20]) };
}

/** A script as people read it: a step a line. */
export function showScript(script: Script): string {
  return script.map((step, at) => `${String(at + 1).padStart(3)}  ${showStep(step)}`).join("\n");
}

function showStep(step: Step): string {
  switch (step.do) {
    case "mutate": {
      const add = step.add.map(({ topic, cursor }) => `add ${showTopic(topic)} ${showCursor(cursor)}`);
      const remove = step.remove.map((topic) => `remove ${showTopic(topic)}`);
      const flag = step.historyOnly ? ["history_only"] : [];
      const id = step.id === "fresh" ? [] : [step.id === "zero" ? "mutate_id 0" : "the mutate_id before"];
      const parts = [...add, ...remove, ...flag, ...id];
      return `client ${step.client}: mutate ${parts.length === 0 ? "nothing" : parts.join(", ")}`;
    }
    case "publish": {
      const size = step.large ? "large ones " : "";
      const times = `${step.rounds} ${size}to each of ${step.topics.map(showTopic).join(", ")}`;
      return `publish ${times}${step.awaited ? "" : ", and go on meanwhile"}`;
    }
    case "wait":
      return `client ${step.client}: wait until all it sent has been read`;
    case "hold":
      return `client ${step.client}: stop reading at the next delivery of a wave`;
    case "read":
      return `client ${step.client}: read on`;
    case "halfClose":
      return `client ${step.client}: half-close`;
    case "cancel":
      return `client ${step.client}: cancel`;
    case "resume":
      return `client ${step.client}: resume on a new stream`;
    default:
      return step satisfies never;
  }
}

function showTopic(topic: number): string {
  return topic < GROUPS ? `group${topic}` : `welcome${topic - GROUPS}`;
}

function showCursor(cursor: Cursor): string {
  switch (cursor.kind) {
    case "start":
      return "from 0";
    case "back":
      return cursor.messages === 0 ? "from the newest" : `from ${cursor.messages} before the newest`;
    case "ahead":
      return `from ${cursor.ids} above the newest`;
    default:
      return cursor satisfies never;
  }
}
