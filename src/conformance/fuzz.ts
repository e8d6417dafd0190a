import { type Clock, systemClock } from "../base/clock";
import { type Finding, type PlaySetting, playScript } from "./fuzz-play";
import { drawScript, type Script, showScript } from "./fuzz-script";
import { shrink } from "./fuzz-shrink";
import { NodeUnderTest } from "./node";
import { Unreachable } from "./run";

export interface FuzzOptions {
  /** How long to look for a failure, in seconds. */
  readonly seconds: number;
  /** Of the first script; the next ones count on from it. 0 to 2^32-1. */
  readonly seed: number;
  /** Scripts played at once. */
  readonly concurrency?: number;
  /** How long a script waits for what has to come soon, in milliseconds. */
  readonly patienceMs?: number;
  /** How long a failing script may be made shorter, in seconds. */
  readonly shrinkSeconds?: number;
  readonly clock?: Clock;
  /** Ends the search, and the shrinking. */
  readonly signal?: AbortSignal;
  /** Told after each script that found nothing. */
  readonly onScript?: (played: number) => void;
}

/** A script that the server fails. */
export interface FuzzFailure {
  /** Draws the script as it was first. */
  readonly seed: number;
  readonly finding: Finding;
  /** As drawn, in steps. */
  readonly drawnSteps: number;
  /** The shortest script that was found to fail. */
  readonly script: Script;
}

export interface FuzzReport {
  readonly seed: number;
  readonly scripts: number;
  readonly failure: FuzzFailure | undefined;
}

const DEFAULT_CONCURRENCY = 6;
const DEFAULT_PATIENCE_MS = 3_000;
const DEFAULT_SHRINK_SECONDS = 60;
const SEEDS = 2 ** 32;

/**
 * Plays random scripts against the server at `address` until one fails or the time is over; then makes that one short.
 * Every script has topics of its own, so the server may be in use.
 * @throws Unreachable if the server cannot be spoken to.
 */
export async function fuzzConformance(address: string, options: FuzzOptions): Promise<FuzzReport> {
  const { clock = systemClock, patienceMs = DEFAULT_PATIENCE_MS, seconds, seed } = options;
  const { shrinkSeconds = DEFAULT_SHRINK_SECONDS, concurrency = DEFAULT_CONCURRENCY, signal } = options;
  const keepaliveMs = await learnKeepalive(address, clock, patienceMs);
  const setting: PlaySetting = { address, keepaliveMs, patienceMs, clock };
  const search = new Search(setting, options);
  await search.run(clock.now() + seconds * 1_000);
  const { first } = search;
  if (first === undefined) return { seed, scripts: search.played, failure: undefined };
  const until = clock.now() + shrinkSeconds * 1_000;
  const { script, finding } = await shrink(first, {
    play: (candidate) => playScript(candidate, setting),
    concurrency,
    mayGoOn: () => clock.now() < until && signal?.aborted !== true,
  });
  const failure = { seed: first.seed, drawnSteps: first.script.length, script, finding };
  return { seed, scripts: search.played, failure };
}

/** The failure as people read it: the rule, the script, and how to see it again. */
export function showFailure({ seed, finding, drawnSteps, script }: FuzzFailure): string {
  return [
    `seed ${seed} breaks ${finding.words}`,
    `the shortest script found, ${script.length} of ${drawnSteps} steps:`,
    showScript(script),
  ].join("\n");
}

/** @throws Unreachable */
async function learnKeepalive(address: string, clock: Clock, patienceMs: number): Promise<number> {
  using node = new NodeUnderTest({ address, keepaliveMs: 0, patienceMs, clock });
  const stream = node.open();
  try {
    await stream.started();
  } catch {
    throw new Unreachable(stream.account());
  }
  const [first] = stream.frames;
  if (first?.kind !== "started") throw new Unreachable(`it began with ${stream.account()} instead of Started`);
  return first.keepaliveMs;
}

/** Plays script after script, some at once, until one fails. */
class Search {
  readonly #setting: PlaySetting;
  readonly #options: FuzzOptions;
  #next: number;
  #played = 0;
  #first: { readonly seed: number; readonly script: Script; readonly finding: Finding } | undefined;

  constructor(setting: PlaySetting, options: FuzzOptions) {
    this.#setting = setting;
    this.#options = options;
    this.#next = options.seed;
  }

  /** Scripts played to their end. */
  get played(): number {
    return this.#played;
  }

  /** Of those that failed, the one with the lowest seed. */
  get first(): { readonly seed: number; readonly script: Script; readonly finding: Finding } | undefined {
    return this.#first;
  }

  /** At least one script is played, however little time there is. */
  async run(until: number): Promise<void> {
    const { concurrency = DEFAULT_CONCURRENCY } = this.#options;
    await Promise.all(Array.from({ length: concurrency }, (_, lane) => this.#lane(until, lane === 0)));
  }

  async #lane(until: number, mustPlay: boolean): Promise<void> {
    const { signal, onScript } = this.#options;
    const goesOn = () => this.#setting.clock.now() < until && signal?.aborted !== true && this.#first === undefined;
    for (let must = mustPlay; must || goesOn(); must = false) {
      const seed = this.#next % SEEDS;
      this.#next += 1;
      const script = drawScript(seed);
      const finding = await playScript(script, this.#setting);
      this.#played += 1;
      if (finding === undefined) onScript?.(this.#played);
      else if (this.#first === undefined || seed < this.#first.seed) this.#first = { seed, script, finding };
    }
  }
}
