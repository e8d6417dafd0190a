import { violate } from "../../src/conformance/checker/violation";
import type { Message } from "../../src/core/message";
import type { ReplayId, ReplayScope, SessionEvent } from "../../src/core/session/events";
import type { Prng } from "../support/prng";

/** One `look` or replay of a session, from the side that answers it. */
interface Job {
  readonly id: ReplayId;
  /** `looking`: owes a `looked`; `reading`: owes a page; `waiting`: for `nextPage`; `over`: done, or cancelled. */
  state: "looking" | "looked" | "reading" | "waiting" | "over";
  /** What is still to be read, per kind. */
  left: readonly [Message[], Message[]];
  /** The page that is out, which the session may hold until it asks for the next one. */
  page: readonly Message[];
}

/** Answers looks and replays of one session out of a model store, and checks how they are used. */
export class ReplayServer {
  readonly #jobs = new Map<ReplayId, Job>();
  /** All messages of the store, ascending per kind. */
  readonly #stored: readonly Message[];

  constructor(stored: readonly Message[]) {
    this.#stored = stored;
  }

  look(id: ReplayId): void {
    this.#add(id, "looking");
  }

  start(id: ReplayId, scope: ReplayScope): void {
    if (scope.topics.length !== scope.floors.length) violate("seam", "a replay without one floor per topic");
    const looked = this.#jobs.get(id);
    const job = looked?.state === "looked" ? looked : this.#add(id, "reading");
    job.state = "reading";
    const floors = new Map(scope.topics.map((topic, at) => [topic, scope.floors[at] ?? 0n]));
    for (const message of this.#stored) {
      const floor = floors.get(message.topic);
      if (floor === undefined || message.id <= floor || message.id > scope.ceilings[message.kind]) continue;
      job.left[message.kind].push({ ...message });
    }
  }

  next(id: ReplayId): void {
    const job = this.#jobs.get(id);
    if (job?.state !== "waiting") violate("seam", `nextPage of replay ${id}, which is ${job?.state ?? "unknown"}`);
    job.state = "reading";
  }

  cancel(id: ReplayId): void {
    const job = this.#jobs.get(id) ?? violate("seam", `cancelReplay of the unknown replay ${id}`);
    job.state = "over";
    job.page = [];
  }

  /** Looks that were not answered yet. */
  get looking(): readonly ReplayId[] {
    return this.#idsOf("looking");
  }

  /** Replays that owe a page. */
  get reading(): readonly ReplayId[] {
    return this.#idsOf("reading");
  }

  /** Whether the session waits for an answer, or owes the request for the next page. */
  get busy(): boolean {
    return [...this.#jobs.values()].some((job) => job.state !== "over" && job.state !== "looked");
  }

  /** Whether a replay other than these is under way. */
  busyBeyond(known: ReadonlySet<ReplayId>): boolean {
    return [...this.reading, ...this.#idsOf("waiting")].some((id) => !known.has(id));
  }

  /** Whether the session may still hold this very message from a page. */
  lent(message: Message): boolean {
    return [...this.#jobs.values()].some((job) => job.page.includes(message));
  }

  /** The answer to a look. */
  looked(id: ReplayId): SessionEvent {
    const job = this.#jobs.get(id);
    if (job !== undefined) job.state = "looked";
    return { kind: "looked", replay: id };
  }

  /** Hands out the next page of a replay: up to `rows` messages, the kinds mixed at random, done or not at random at its end. */
  page(id: ReplayId, rows: number, random: Prng): SessionEvent {
    const job = this.#jobs.get(id) ?? violate("driver", `no replay ${id}`);
    const messages = takeMixed(job.left, rows, random);
    const done = job.left.every((left) => left.length === 0) && random.chance(0.7);
    job.state = done ? "over" : "waiting";
    job.page = messages;
    return { kind: "page", replay: id, messages, done };
  }

  /** Ends a replay as failed. */
  fail(id: ReplayId): SessionEvent {
    const job = this.#jobs.get(id);
    if (job !== undefined) job.state = "over";
    return { kind: "replayFailed", replay: id, detail: "the store is away" };
  }

  /** An event of a replay that is over, full of messages that exist; `undefined` if none is over yet. */
  stale(random: Prng): SessionEvent | undefined {
    const over = this.#idsOf("over");
    if (over.length === 0) return undefined;
    const replay = random.pick(over);
    if (random.chance(0.2)) return { kind: "looked", replay };
    if (random.chance(0.2)) return { kind: "replayFailed", replay, detail: "too late" };
    const from = random.int(this.#stored.length + 1);
    const messages = this.#stored.slice(from, from + 5).map((message) => ({ ...message }));
    return { kind: "page", replay, messages, done: random.chance(0.5) };
  }

  /** The session is over: nobody waits any more. */
  stop(): void {
    for (const job of this.#jobs.values()) {
      job.state = "over";
      job.page = [];
    }
  }

  #add(id: ReplayId, state: Job["state"]): Job {
    if (this.#jobs.has(id)) violate("I9", `replay ${id} was used before: its pages could not be told apart`);
    const job: Job = { id, state, left: [[], []], page: [] };
    this.#jobs.set(id, job);
    return job;
  }

  #idsOf(state: Job["state"]): readonly ReplayId[] {
    return [...this.#jobs.values()].filter((job) => job.state === state).map((job) => job.id);
  }
}

/** Takes up to `rows` messages off two ascending queues, so that each kind stays ascending. */
function takeMixed(left: readonly [Message[], Message[]], rows: number, random: Prng): readonly Message[] {
  const taken: Message[] = [];
  while (taken.length < rows) {
    const filled = left.filter((queue) => queue.length > 0);
    if (filled.length === 0) break;
    const message = random.pick(filled).shift();
    if (message !== undefined) taken.push(message);
  }
  return taken;
}
