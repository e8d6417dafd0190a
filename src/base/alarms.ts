import type { Clock } from "./clock";

/** Who is to be woken. */
export interface Sleeper {
  /** The time has come. Must not throw. */
  onAlarm(): void;
}

/**
 * Wakes many, with one timer for all of them.
 *
 * Time is cut into grains, and whoever wants to be woken within one is woken at its end: at most a grain late,
 * never early. That is cheaper than a timer each, and what is done at the same time can share a write.
 */
export class Alarms {
  readonly #clock: Clock;
  readonly #grainMs: number;
  /** By the number of the grain at whose end they are woken. */
  readonly #sleepers = new Map<number, Set<Sleeper>>();
  #timer: Disposable | undefined;
  /** The grain that the timer waits for. */
  #next = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, grainMs: number) {
    this.#clock = clock;
    this.#grainMs = grainMs;
  }

  /** Has a sleeper woken once, not before `at` on the clock. Returns what {@link cancel} asks for. */
  set(sleeper: Sleeper, at: number): number {
    const grain = Math.ceil(at / this.#grainMs);
    const sleepers = this.#sleepers.get(grain);
    if (sleepers === undefined) this.#sleepers.set(grain, new Set([sleeper]));
    else sleepers.add(sleeper);
    if (grain < this.#next) this.#arm(grain);
    return grain;
  }

  /** The sleeper is not woken, unless it has been. */
  cancel(sleeper: Sleeper, grain: number): void {
    const sleepers = this.#sleepers.get(grain);
    if (sleepers === undefined || !sleepers.delete(sleeper) || sleepers.size > 0) return;
    this.#sleepers.delete(grain);
    if (grain === this.#next) this.#armEarliest();
  }

  #armEarliest(): void {
    let earliest = Number.POSITIVE_INFINITY;
    for (const grain of this.#sleepers.keys()) if (grain < earliest) earliest = grain;
    this.#arm(earliest);
  }

  #arm(grain: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#next = grain;
    if (grain === Number.POSITIVE_INFINITY) return;
    const ms = Math.max(0, grain * this.#grainMs - this.#clock.now());
    this.#timer = this.#clock.after(ms, () => this.#ring());
  }

  /** A timer may fire a little early: then it is just set again. */
  #ring(): void {
    const now = this.#clock.now();
    for (const [grain, sleepers] of this.#sleepers) {
      if (grain * this.#grainMs > now) continue;
      for (const sleeper of sleepers) {
        sleepers.delete(sleeper);
        sleeper.onAlarm();
      }
      this.#sleepers.delete(grain);
    }
    this.#armEarliest();
  }
}
