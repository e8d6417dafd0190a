import { DEFAULT_LIMITS, type StreamLimits } from "../../src/core/limits";
import { isTopic, type Topic } from "../../src/core/topic";
import { Prng } from "../support/prng";

/** Decisions drawn for a seed, at most: enough for about fifteen waves. */
export const STEPS_PER_SEED = 400;

/** What can be decided at one step of a run. */
export const STEPS = {
  mutate: 7,
  insert: 16,
  append: 15,
  ackElsewhere: 2,
  page: 16,
  looked: 5,
  stale: 3,
  drain: 12,
  pull: 7,
  block: 3,
  progress: 1,
  flush: 6,
  ping: 2,
  pong: 4,
  wrongPong: 1,
  pass: 5,
  deadline: 3,
  late: 1,
  evict: 1,
  unwatchedOffer: 1,
  halfClose: 0,
  cancel: 0,
  shutdown: 0,
  fail: 0,
  badMutate: 0,
  malformed: 0,
  silence: 0,
  stall: 0,
};
export type Step = keyof typeof STEPS;

/** Steps that end the stream, or soon do: at most one of them is put into a run. */
const ENDS: readonly Step[] = [
  "halfClose",
  "halfClose",
  "halfClose",
  "badMutate",
  "badMutate",
  "cancel",
  "shutdown",
  "fail",
  "malformed",
  "silence",
  "stall",
];

/** One step and the seed of its details, so that a step stays meaningful when others around it are taken away. */
export interface Decision {
  readonly step: Step;
  readonly seed: number;
}

/** The fixed part of a run: sizes, limits and habits of the surroundings. */
export interface Scenario {
  readonly topics: readonly Topic[];
  readonly limits: StreamLimits;
  readonly keepaliveMs: number | undefined;
  readonly stallMs: number;
  /** Messages that the tail holds. */
  readonly tailCapacity: number;
  /** Messages stored before the stream opens. */
  readonly prefill: number;
  readonly maxPageRows: number;
  readonly maxEntryBytes: number;
  /** Whether the client answers every Ping before time passes. */
  readonly answersPings: boolean;
  /** Whether a client that refrains from mistakes draws each Mutate. */
  readonly careful: boolean;
}

export interface Run {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly decisions: readonly Decision[];
}

/** Weights of a run that keeps its waves at their seams for long: each frame carries one message, and more keep coming. */
const CRAWL: Partial<Record<Step, number>> = {
  insert: 3,
  append: 4,
  pull: 5,
  page: 0.6,
  drain: 0.05,
  block: 0.3,
  mutate: 0.5,
  evict: 0.2,
};

/** Everything about a run follows from its seed. `steps`: how many decisions are drawn, about. */
export function drawRun(seed: number, steps: number): Run {
  const random = new Prng(seed);
  const crawls = random.chance(0.2);
  const scenario = drawScenario(random, crawls);
  const weights = { ...STEPS };
  for (const step of Object.keys(STEPS).filter(isStep)) {
    weights[step] *= crawls ? (CRAWL[step] ?? 1) : random.pick([0.1, 0.5, 1, 1, 3]);
  }
  const decisions: Decision[] = [];
  const length = random.between(Math.ceil(steps / 2), steps);
  for (let i = 0; i < length; i++) decisions.push({ step: random.weighted(weights), seed: random.seed() });
  if (random.chance(0.65)) {
    const at = random.between(Math.floor(length / 4), length);
    decisions.splice(at, 0, { step: random.pick(ENDS), seed: random.seed() });
  }
  return { seed, scenario, decisions };
}

function drawScenario(random: Prng, crawls: boolean): Scenario {
  const small = (share: number, low: number, high: number, otherwise: number) =>
    random.chance(share) ? random.between(low, high) : otherwise;
  const topics = drawTopics(random);
  return {
    topics,
    limits: {
      topics: small(0.15, 1, topics.length, DEFAULT_LIMITS.topics),
      addsPerMutate: small(0.15, 1, 4, DEFAULT_LIMITS.addsPerMutate),
      waves: small(0.2, 1, 3, DEFAULT_LIMITS.waves),
      mutatesPerSecond: small(0.05, 1, 20, DEFAULT_LIMITS.mutatesPerSecond),
      mutateBurst: small(0.1, 5, 20, DEFAULT_LIMITS.mutateBurst),
      pingsPerSecond: small(0.1, 1, 5, DEFAULT_LIMITS.pingsPerSecond),
      pingBurst: small(0.1, 1, 5, DEFAULT_LIMITS.pingBurst),
      dueOffsets: small(crawls ? 0.1 : 0.4, 1, 8, DEFAULT_LIMITS.dueOffsets),
      targetFrameBytes: crawls ? 1 : small(0.5, 1, 120, DEFAULT_LIMITS.targetFrameBytes),
    },
    keepaliveMs: random.chance(0.1) ? undefined : random.pick([100, 1_000, 30_000]),
    stallMs: random.pick([500, 5_000, 60_000]),
    tailCapacity: small(crawls ? 0.1 : 0.5, 1, 12, 10_000),
    prefill: small(0.7, 0, 30, 0),
    maxPageRows: random.pick([1, 3, 10, 100]),
    maxEntryBytes: random.pick([1, 30, 100]),
    answersPings: random.chance(0.9),
    careful: random.chance(0.85),
  };
}

/** Topics of both kinds, named a, b … and A, B …. */
function drawTopics(random: Prng): readonly Topic[] {
  const groups = ["\0a", "\0b", "\0c", "\0d"].slice(0, random.between(1, 4));
  const welcomes = ["\x01A", "\x01B", "\x01C"].slice(0, random.between(0, 3));
  return [...groups, ...welcomes].filter(isTopic);
}

function isStep(text: string): text is Step {
  return text in STEPS;
}
