import { type Clock, systemClock } from "../../base/clock";
import { learnKeepalive, lossOf } from "../client/reach";
import { type Finding, type PlaySetting, playScript } from "./play";
import { drawScript, type Script, showScript } from "./script";
import { shrink } from "./shrink";

export interface FuzzOptions {
  /** How long to look for a failure, in seconds. */
  readonly seconds: number;
  /** Of the first script; the next ones count on from it. 0 to 2^32-1. */
  readonly seed: number;
  /** How long a script waits for what has to come soon, in milliseconds. */
  readonly patienceMs?: number;
  /** How long a failing script may be made shorter, in seconds. */
  readonly shrinkSeconds?: number;
  /** Whose time all of that is. */
  readonly clock?: Clock;
  /** Ends the search, and the shrinking. */
  readonly signal?: AbortSignal;
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
  /** Why the server could not be spoken to any more, and what it was asked then; `undefined` if it could to the end. */
  readonly loss: string | undefined;
}

/** Scripts played at once. */
const CONCURRENCY = 6;
const DEFAULT_PATIENCE_MS = 3_000;
const DEFAULT_SHRINK_SECONDS = 60;
const SEEDS = 2 ** 32;

/**
 * Plays random scripts against the server at `address` until one fails or the time is over; then makes that one short.
 * Every script has topics of its own, so the server may be in use.
 * @throws Unreachable if the server cannot be spoken to.
 */
export async function fuzzConformance(address: string, options: FuzzOptions): Promise<FuzzReport> {
  const { patienceMs = DEFAULT_PATIENCE_MS, seconds, seed } = options;
  const { shrinkSeconds = DEFAULT_SHRINK_SECONDS, clock = systemClock, signal } = options;
  const keepaliveMs = await learnKeepalive({ address, patienceMs, clock });
  const setting: PlaySetting = { address, keepaliveMs, patienceMs, clock };
  const search = new Search(setting, options);
  await search.run(clock.now() + seconds * 1_000);
  const { first } = search;
  if (first === undefined) return { seed, scripts: search.played, failure: undefined, loss: search.loss };
  const until = clock.now() + shrinkSeconds * 1_000;
  const { script, finding } = await shrink(first, {
    play: (candidate) => search.play(first.seed, candidate),
    concurrency: CONCURRENCY,
    mayGoOn: () => clock.now() < until && signal?.aborted !== true && search.loss === undefined,
  });
  const failure = { seed: first.seed, drawnSteps: first.script.length, script, finding };
  return { seed, scripts: search.played, failure, loss: search.loss };
}

/** The failure as people read it: the rule, the script, and how to see it again. */
export function showFailure({ seed, finding, drawnSteps, script }: FuzzFailure): string {
  return [
    `seed ${seed} breaks ${finding.words}`,
    `the shortest script found, ${script.length} of ${drawnSteps} steps:`,
    showScript(script),
  ].join("\n");
}

/** Plays script after script, some at once, until one fails. */
class Search {
  readonly #setting: PlaySetting;
  readonly #options: FuzzOptions;
  #next: number;
  #played = 0;
  #first: { readonly seed: number; readonly script: Script; readonly finding: Finding } | undefined;
  #loss: string | undefined;
  /** Of the scripts that were being played when the server was lost. */
  readonly #lostSeeds = new Set<number>();

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

  get loss(): string | undefined {
    return this.#loss && `${this.#loss}; under way was seed ${[...this.#lostSeeds].join(", ")}`;
  }

  /** What a script finds; nothing if the server was lost meanwhile, which is remembered. */
  async play(seed: number, script: Script): Promise<Finding | undefined> {
    const outcome = await playScript(script, this.#setting).then(
      (finding) => ({ finding }),
      (error: unknown) => ({ error }),
    );
    if ("finding" in outcome && outcome.finding === undefined) return undefined;
    const loss = await lossOf(this.#setting);
    if (loss === undefined) {
      if ("error" in outcome) throw outcome.error;
      return outcome.finding;
    }
    this.#loss ??= loss;
    this.#lostSeeds.add(seed);
    return undefined;
  }

  /** At least one script is played, however little time there is. */
  async run(until: number): Promise<void> {
    await Promise.all(Array.from({ length: CONCURRENCY }, (_, lane) => this.#lane(until, lane === 0)));
  }

  /** Whether nothing was found yet. */
  get #isOpen(): boolean {
    return this.#first === undefined && this.#loss === undefined;
  }

  async #lane(until: number, mustPlay: boolean): Promise<void> {
    const { signal } = this.#options;
    const goesOn = () => this.#setting.clock.now() < until && signal?.aborted !== true && this.#isOpen;
    for (let must = mustPlay; must || goesOn(); must = false) {
      const seed = this.#next % SEEDS;
      this.#next += 1;
      const script = drawScript(seed);
      const finding = await this.play(seed, script);
      if (this.#lostSeeds.has(seed)) return;
      this.#played += 1;
      if (finding === undefined) continue;
      if (this.#first === undefined || seed < this.#first.seed) this.#first = { seed, script, finding };
    }
  }
}
