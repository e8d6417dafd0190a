import { Prng } from "../support/prng";
import { MutateSource } from "./draw-mutate";
import { Driver } from "./driver";
import { type Decision, drawRun, type Run } from "./scenario";
import type { MakeSession } from "./session-like";
import { settle } from "./settle";

/** Why a run failed: the rule (for an exception of the core: "exception"), and the whole text. */
export interface Failure {
  readonly rule: string;
  readonly text: string;
}

/** Attempts at making a failing run shorter. */
const MAX_SHRINK_RUNS = 3_000;

/** Plays a run against a session. Returns why it failed, or `undefined` if it kept every rule. */
export function play(make: MakeSession, run: Run, trace?: string[]): Failure | undefined {
  try {
    const player = new Player(make, run, trace);
    for (const decision of run.decisions) player.decide(decision);
    player.finish();
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) return { rule: "exception", text: String(error) };
    const rule = "rule" in error && typeof error.rule === "string" ? error.rule : "exception";
    return { rule, text: rule === "exception" ? (error.stack ?? error.message) : error.message };
  }
}

/** Runs a seed. Returns `undefined` if all is well, else a report: the seed, a shrunk script and its trace. */
export function fuzz(make: MakeSession, seed: number, steps: number): string | undefined {
  const run = drawRun(seed, steps);
  const failure = play(make, run);
  if (failure === undefined) return undefined;
  const shrunk = shrink(make, run, failure.rule);
  const trace: string[] = [];
  const text = play(make, shrunk, trace)?.text ?? failure.text;
  const script = shrunk.decisions.map(({ step, seed: detail }) => `${step}:${detail}`).join(" ");
  const { topics, ...scenario } = run.scenario;
  const sizes = JSON.stringify({ topics: topics.length, ...scenario });
  return [`FUZZ_SEED=${seed} broke ${failure.text}`, `after shrinking: ${text}`, script, sizes, ...trace].join("\n");
}

/** Takes decisions away, in ever smaller pieces, as long as the same rule stays broken. */
function shrink(make: MakeSession, run: Run, rule: string): Run {
  let decisions: readonly Decision[] = run.decisions;
  let left = MAX_SHRINK_RUNS;
  for (let size = Math.ceil(decisions.length / 2); size >= 1 && left > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < decisions.length && left > 0; ) {
      const fewer = [...decisions.slice(0, at), ...decisions.slice(at + size)];
      left -= 1;
      if (play(make, { ...run, decisions: fewer })?.rule === rule) decisions = fewer;
      else at += size;
    }
  }
  return { ...run, decisions };
}

/** Turns decisions into moves of the driver. */
class Player {
  readonly #run: Run;
  readonly #driver: Driver;
  readonly #mutates: MutateSource;
  readonly #random: Prng;
  #wakeOwed = false;
  #nonce = 100n;

  constructor(make: MakeSession, run: Run, trace: string[] | undefined) {
    this.#run = run;
    this.#random = new Prng(run.seed ^ 0x5eed);
    this.#driver = new Driver(make, run.scenario, this.#random, trace);
    this.#mutates = new MutateSource(run.scenario, this.#driver.world, this.#driver.checker);
  }

  decide(decision: Decision): void {
    const random = new Prng(decision.seed);
    if (!this.#request(decision.step, random) && !this.#feed(decision.step, random)) this.#wire(decision.step, random);
  }

  finish(): void {
    this.#wakeIfOwed();
    settle(this.#driver, this.#run.scenario.maxPageRows, this.#random);
  }

  /** What the client does. Returns whether the step is of this sort. */
  #request(step: Decision["step"], random: Prng): boolean {
    const driver = this.#driver;
    const quiet = driver.checker.halfClosed;
    switch (step) {
      case "mutate":
        if (!quiet) driver.mutate(this.#mutates.draw(random));
        return true;
      case "badMutate":
        if (!quiet) driver.mutate(this.#mutates.drawBad(random));
        return true;
      case "malformed":
        if (!quiet) driver.send({ kind: "malformed", detail: "no version" });
        return true;
      case "ping":
        if (!quiet) driver.ping(random.chance(0.1) ? (1n << 64n) - 1n : this.#nonce++);
        return true;
      case "pong":
        this.#pong();
        return true;
      case "wrongPong":
        if (!quiet) driver.send({ kind: "pong", nonce: (driver.liveness.asked ?? 0n) + BigInt(random.between(1, 3)) });
        return true;
      case "halfClose":
        if (!quiet) driver.send({ kind: "halfClosed" });
        return true;
      case "cancel":
        driver.send({ kind: "cancelled" });
        return true;
      default:
        return false;
    }
  }

  /** What the node around the session does. Returns whether the step is of this sort. */
  #feed(step: Decision["step"], random: Prng): boolean {
    const driver = this.#driver;
    const { replays, tail } = driver.world;
    switch (step) {
      case "insert":
        driver.insert(random.between(1, 4), random);
        return true;
      case "ackElsewhere":
        driver.world.ackElsewhere();
        return true;
      case "append":
        driver.append(random.between(1, 5));
        return true;
      case "unwatchedOffer":
        driver.append(random.between(1, 5), true);
        return true;
      case "evict":
        tail.evict(random.int(3));
        return true;
      case "looked":
        if (replays.looking.length > 0) driver.looked(random.pick(replays.looking));
        return true;
      case "page":
        this.#page(random);
        return true;
      case "fail":
        if (replays.reading.length > 0) driver.send(replays.fail(random.pick(replays.reading)));
        return true;
      case "stale": {
        const event = replays.stale(random);
        if (event !== undefined) driver.sendStale(event);
        return true;
      }
      case "shutdown":
        driver.send({ kind: "shutdown" });
        return true;
      default:
        return false;
    }
  }

  /** What the wire and the clock do. */
  #wire(step: Decision["step"], random: Prng): void {
    const driver = this.#driver;
    switch (step) {
      case "drain":
        driver.drain();
        break;
      case "pull":
        driver.pull(random.between(1, 3));
        break;
      case "block":
        driver.block();
        break;
      case "progress":
        driver.progress();
        break;
      case "flush":
        driver.flush();
        break;
      case "pass":
        this.#pass(random);
        break;
      case "deadline":
        this.#passToDeadline(0, random);
        break;
      case "late":
        this.#passToDeadline(random.int(3 * this.#idleMs), random);
        break;
      case "silence":
        this.#stopAnswering();
        break;
      case "stall":
        driver.block();
        this.#stopAnswering();
        break;
    }
  }

  get #idleMs(): number {
    return this.#run.scenario.keepaliveMs ?? 1_000;
  }

  #pong(): void {
    const { liveness, checker } = this.#driver;
    if (liveness.asked !== undefined && !checker.halfClosed) {
      this.#driver.send({ kind: "pong", nonce: liveness.asked });
    }
  }

  #page(random: Prng): void {
    const { replays } = this.#driver.world;
    if (replays.reading.length === 0) return;
    const rows = random.between(0, this.#run.scenario.maxPageRows);
    this.#driver.send(replays.page(random.pick(replays.reading), rows, random));
  }

  /** Some time passes, too little for a full wire to count as stalled; the node mostly keeps its appointments. */
  #pass(random: Prng): void {
    this.#wakeIfOwed();
    if (this.#run.scenario.answersPings) this.#pong();
    this.#driver.progress();
    const { now, deadline, blocked } = this.#driver;
    const most = this.#idleMs / random.pick([2, 10, 50]);
    this.#driver.passTo(now + random.int(Math.ceil(blocked ? Math.min(most, this.#run.scenario.stallMs) : most)));
    this.#wakeOwed = deadline !== undefined && this.#driver.now >= deadline;
    if (random.chance(0.9)) this.#wakeIfOwed();
  }

  /** With room on the wire, time passes until the deadline, or until `lateMs` after it; then a Pong that came in time may still be queued. */
  #passToDeadline(lateMs: number, random: Prng): void {
    this.#wakeIfOwed();
    this.#driver.flush();
    if (this.#run.scenario.answersPings && random.chance(0.5)) this.#pong();
    const { deadline } = this.#driver;
    if (deadline === undefined) return;
    this.#driver.passTo(deadline + lateMs);
    if (this.#run.scenario.answersPings) this.#pong();
    this.#wakeOwed = true;
    if (lateMs === 0 || random.chance(0.5)) this.#wakeIfOwed();
  }

  #wakeIfOwed(): void {
    if (!this.#wakeOwed) return;
    this.#wakeOwed = false;
    this.#driver.wake();
  }

  /** The client falls silent for good: a deadline or two later the stream must be over, unless nobody asks it. */
  #stopAnswering(): void {
    for (let i = 0; i < 4; i++) this.#passSilently();
  }

  #passSilently(): void {
    const { deadline } = this.#driver;
    if (deadline === undefined) return;
    this.#driver.passTo(deadline);
    this.#driver.wake();
  }
}
